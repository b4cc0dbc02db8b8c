//! The end of an attempt: its streams are stored, its inputs looked at once more, its outputs stored and committed by a manifest.

use super::job::{Attempt, Ending, Progress};
use super::outputs;
use crate::logs;
use crate::secrets::Redaction;
use std::path::PathBuf;
use tidemill_artifacts::Materialized;
use tidemill_protocol::artifact::{ArtifactRef, AttemptManifest};
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::wire::{AttemptUsage, Success};

impl Attempt {
    /// Stores the streams in any case, and the outputs after a good end.
    pub(super) async fn store(
        &self,
        ended: Result<(), Ending>,
        progress: &mut Progress,
    ) -> Result<Success, Ending> {
        progress.usage.stdout = self.store_stream(self.folder.stdout(), progress).await;
        progress.usage.stderr = self.store_stream(self.folder.stderr(), progress).await;
        ended?;
        self.check_inputs(progress).await?;
        // Boxed, like the staging: an attempt at a short step should be small.
        let outputs = Box::pin(outputs::store(
            &self.task,
            &self.folder,
            &self.tools.sources.store,
        ));
        let outputs = self.stoppable(outputs).await?;
        if outputs.is_empty() {
            return Ok(Success::default());
        }
        let manifest = AttemptManifest {
            version: 1,
            attempt: self.task.attempt,
            token: self.task.token,
            key: self.task.key,
            outputs: outputs.clone(),
        };
        let commit = async {
            let committed = self.tools.sources.store.commit(&manifest).await;
            committed.map_err(|error| {
                Failure::with_message(
                    FailureReason::StoreFailed,
                    format!("manifest: {}", crate::error::chain(&error)),
                )
            })
        };
        let digest = self.stoppable(commit).await?;
        Ok(Success {
            outputs,
            manifest: Some(digest),
            usage: AttemptUsage::default(),
        })
    }

    /// Stores a stream if anything was written to it. A log that cannot be stored is noted, and does not cost the step its result.
    async fn store_stream(&self, path: PathBuf, progress: &mut Progress) -> Option<ArtifactRef> {
        if std::fs::metadata(&path).map_or(0, |m| m.len()) == 0 {
            return None;
        }
        let bytes_max = self.tools.config.log_bytes_max;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let redaction = self.redaction();
        if matches!(redaction, Redaction::Unknown) {
            let note =
                format!("{name} is withheld: what its secrets were is not known any more on this worker");
            progress.usage.notes.push(note);
            return None;
        }
        let kept = tokio::task::spawn_blocking(move || logs::keep(&path, bytes_max, &redaction)).await;
        let stored = match kept {
            Ok(Ok(None)) | Err(_) => return None,
            Ok(Ok(Some(kept))) => self
                .tools
                .sources
                .store
                .put_file(&kept)
                .await
                .map_err(|e| crate::error::chain(&e)),
            Ok(Err(error)) => Err(error.to_string()),
        };
        match stored {
            Ok(reference) => Some(reference),
            Err(why) => {
                progress
                    .usage
                    .notes
                    .push(format!("{name} could not be stored: {why}"));
                None
            }
        }
    }

    /// A step that wrote to an input which shares bytes with the cache must not commit anything.
    async fn check_inputs(&self, progress: &mut Progress) -> Result<(), Failure> {
        let shared: Vec<_> = progress.shared.drain(..).filter(|m| m.linked > 0).collect();
        if shared.is_empty() {
            return Ok(());
        }
        let checked =
            tokio::task::spawn_blocking(move || shared.iter().try_for_each(Materialized::verify_unchanged))
                .await;
        match checked {
            Ok(Err(error)) => Err(Failure::with_message(
                FailureReason::InputUnreadable,
                format!("the step changed an input: {}", crate::error::chain(&error)),
            )),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}
