//! Names that neither a pipeline's folder nor the workspace's settings know: the coordinator's catalog is asked for them, and the file is read again with its
//! answers.

use crate::client::{Client, collect};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_language::{Answer, Known, PipelineSpec, Reading, Wanted, Workspace};
use tidemill_protocol::catalog::AssetBody;

/// How often a file is read again: what a component from the catalog names stands in it already, so one time is usual.
const ROUNDS_MAX: usize = 8;
/// How many names are asked for at a time.
const NAMES_AT_ONCE: usize = 8;
/// Longest component that is read.
const COMPONENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads a file: a pipeline or a component.
pub(super) type Read = fn(&Path, &Workspace) -> Reading;

/// A file that was read, as far as that could be done without asking anybody.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(super) file: PathBuf,
    pub(super) reading: Reading,
    workspace: Workspace,
    read: Read,
}

impl Draft {
    /// Reads a file.
    pub(super) fn of(file: &Path, workspace: Workspace, read: Read) -> Self {
        Self {
            file: file.to_owned(),
            reading: read(file, &workspace),
            workspace,
            read,
        }
    }

    /// Whether a catalog could say more about it.
    pub(crate) fn wants_names(&self) -> bool {
        !self.reading.wanted.is_empty()
    }

    /// Asks the catalog for every name that the file wants, and reads it again.
    pub(crate) async fn ask(&mut self, client: &Client) -> Result<(), Failure> {
        for _ in 0..ROUNDS_MAX {
            if !self.wants_names() {
                return Ok(());
            }
            let wanted = std::mem::take(&mut self.reading.wanted);
            let answers: Vec<(Wanted, Answer)> = stream::iter(wanted)
                .map(|wanted| async move {
                    let answer = answer(client, &wanted).await?;
                    Ok::<_, Failure>((wanted, answer))
                })
                .buffer_unordered(NAMES_AT_ONCE)
                .try_collect()
                .await?;
            for (wanted, answer) in answers {
                self.workspace.learn(wanted, answer);
            }
            self.reading = (self.read)(&self.file, &self.workspace);
        }
        Ok(())
    }
}

async fn answer(client: &Client, wanted: &Wanted) -> Result<Answer, Failure> {
    let (kind, asset) = match wanted {
        Wanted::Asset { kind, asset } => (*kind, asset),
        Wanted::Datastore(name) => {
            return match client.datastore(name).await {
                Ok(view) => Ok(Answer::Datastore(Box::new(view.definition))),
                Err(failure) if failure.exit == Exit::NotFound => Ok(Answer::Unknown { advice: None }),
                Err(failure) => Err(failure),
            };
        }
    };
    let view = match client.version(kind, asset).await {
        Ok(view) => view,
        Err(failure) if failure.exit == Exit::NotFound => {
            let advice = failure.help.first().cloned();
            return Ok(Answer::Unknown { advice });
        }
        Err(failure) => return Err(failure),
    };
    let spec = match &view.body {
        AssetBody::Component(body) => {
            let bytes = collect(client.blob(&body.spec.digest).await?, COMPONENT_BYTES_MAX).await?;
            let spec: PipelineSpec = serde_json::from_slice(&bytes)
                .context(|| format!("component {asset} is not what this version understands"))?;
            Some(Arc::new(spec))
        }
        _ => None,
    };
    Ok(Answer::Known(Box::new(Known { view, spec })))
}
