//! The end of an attempt: its streams are stored, its inputs looked at once more, its outputs stored and committed by a manifest.

use super::job::{Attempt, Ending, Progress};
use super::outputs;
use super::patience::Patience;
use crate::logs;
use crate::secrets::Redaction;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_artifacts::Materialized;
use tidemill_protocol::artifact::{ArtifactRef, AttemptManifest};
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::wire::{AttemptUsage, Success};

/// How long each stream of an attempt that is to stop may take: somebody waits for its end.
const STREAM_OF_STOPPED_WITHIN: Duration = Duration::from_secs(30);

impl Attempt {
    /// Stores the outputs after a good end, and the streams in any case.
    pub(super) async fn store(
        &self,
        ended: Result<(), Ending>,
        progress: &mut Progress,
    ) -> Result<Success, Ending> {
        let stored = match ended {
            // Boxed, like the staging: an attempt at a short step should be small.
            Ok(()) => Box::pin(self.store_outputs(progress)).await,
            Err(ending) => Err(ending),
        };
        // After the outputs: where those waited until the store was back, the streams find it.
        progress.usage.stdout = self.store_stream(self.folder.stdout(), progress).await;
        progress.usage.stderr = self.store_stream(self.folder.stderr(), progress).await;
        stored
    }

    /// Stores the outputs and commits them. The work is done and may have taken days, so a store that is away is waited for.
    async fn store_outputs(&self, progress: &mut Progress) -> Result<Success, Ending> {
        self.check_inputs(progress).await?;
        let store = &self.tools.sources.store;
        let mut patience = Patience::new(&self.key, self.tools.config.upload_deadline);
        if let Some(passed) = outputs::began(&self.folder, self.tools.clock.now()) {
            patience.was_tried_for(Duration::from_millis(passed.0));
        }
        let outputs = outputs::store(&self.task, &self.folder, store, &mut patience);
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
            loop {
                match store.commit(&manifest).await {
                    Ok(digest) => return Ok(digest),
                    Err(error) => patience.bear("manifest", error).await?,
                }
            }
        };
        let digest = self.stoppable(commit).await?;
        progress.usage.notes.extend(patience.note());
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
            Ok(Ok(Some(kept))) => self.put_stream(&kept).await,
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

    async fn put_stream(&self, kept: &Path) -> Result<ArtifactRef, String> {
        let too_late = async {
            self.stop.asked().await;
            tokio::time::sleep(STREAM_OF_STOPPED_WITHIN).await;
        };
        tokio::select! {
            stored = self.tools.sources.store.put_file(kept) => stored.map_err(|error| crate::error::chain(&error)),
            () = too_late => Err("the attempt was stopped, and the store did not answer in time".to_owned()),
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
