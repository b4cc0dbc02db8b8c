//! What an attempt saves for the next one. The step writes files elsewhere and renames them into its checkpoint folder; the folder is taken to the store, as a
//! tree, whenever it changed, and once more when the process was stopped or failed. A copy counts only if nothing in the folder changed while it was made.

use super::folder::{Folder, remove};
use super::job::Attempt;
use super::snapshot::Snapshot;
use super::stage::{Sources, disk};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tidemill_artifacts::{Access, ScanError, collect_within};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::failure::Failure;
use tidemill_protocol::wire::{ReportBody, StepTask};
use tokio::time::{sleep, timeout};

/// How often a copy is tried again at once when the folder changed meanwhile.
const TRIES: u32 = 3;
/// How long the last copy may take, once the process is over.
const LAST_WITHIN: Duration = Duration::from_mins(5);

/// Where a step finds and puts its checkpoint, if it wants one.
fn place(task: &StepTask, folder: &Folder) -> Option<PathBuf> {
    let rule = task.template.rules.checkpoint.as_ref()?;
    let place = match &rule.path {
        Some(path) => folder.work().join(path.as_str()),
        None => folder.checkpoint(),
    };
    Some(place)
}

/// Makes the folder, with what the last attempt saved. A checkpoint that cannot be read any more is noted, and the step starts afresh.
pub(super) async fn bring(
    task: &StepTask,
    folder: &Folder,
    sources: &Sources,
    notes: &mut Vec<String>,
) -> Result<Option<PathBuf>, Failure> {
    let Some(place) = place(task, folder) else {
        return Ok(None);
    };
    if let Some(saved) = &task.checkpoint {
        // What the code brought there is older.
        remove(&place).map_err(|e| disk(&e))?;
        fs::create_dir_all(&place).map_err(|e| disk(&e))?;
        let brought = sources.bring(saved, &place, Access::Copy, "the checkpoint").await;
        match brought {
            Ok(_) => return Ok(Some(place)),
            Err(failure) if failure.reason.is_infrastructure() => return Err(failure),
            Err(failure) => {
                notes.push(format!("the step starts afresh: {}", failure.message));
                remove(&place).map_err(|e| disk(&e))?;
            }
        }
    }
    fs::create_dir_all(&place).map_err(|e| disk(&e))?;
    Ok(Some(place))
}

/// Saves what is in an attempt's checkpoint folder.
pub(super) struct Saver<'a> {
    attempt: &'a Attempt,
    place: PathBuf,
    every: Duration,
    /// How the folder looked when it was last saved.
    seen: Option<Snapshot>,
    saved: Option<ArtifactRef>,
    /// Why the last try failed, if it did.
    trouble: Option<String>,
}

/// What became of a try.
enum Tried {
    /// What is there is saved.
    Saved,
    /// Something changed meanwhile.
    Changing,
}

impl<'a> Saver<'a> {
    /// None for a step that wants no checkpoints.
    pub(super) fn of(attempt: &'a Attempt) -> Option<Self> {
        let rule = attempt.task.template.rules.checkpoint.as_ref()?;
        Some(Self {
            attempt,
            place: place(&attempt.task, &attempt.folder)?,
            every: Duration::from_millis(rule.every.0),
            seen: None,
            saved: attempt.task.checkpoint,
            trouble: None,
        })
    }

    /// Saves whenever something changed, until it is dropped.
    pub(super) async fn keep_saving(&mut self) -> Infallible {
        loop {
            sleep(self.every).await;
            self.save().await;
        }
    }

    /// The process is over: saves a last time if that is wanted. Answers with what should be noted.
    pub(super) async fn finish(mut self, is_wanted: bool) -> Option<String> {
        if is_wanted && timeout(LAST_WITHIN, self.save()).await.is_err() {
            self.trouble = Some("the store did not answer in time".into());
        }
        self.trouble
            .map(|why| format!("the last checkpoint could not be saved: {why}"))
    }

    async fn save(&mut self) {
        for _ in 0..TRIES {
            match self.try_save().await {
                Ok(Tried::Saved) => {
                    self.trouble = None;
                    return;
                }
                Ok(Tried::Changing) => self.trouble = Some("it kept changing".into()),
                Err(why) => {
                    tracing::warn!(attempt = %self.attempt.task.attempt, why, "a checkpoint could not be saved");
                    self.trouble = Some(why);
                    return;
                }
            }
        }
    }

    async fn try_save(&mut self) -> Result<Tried, String> {
        let before = look(&self.place).await?;
        if self.seen.as_ref() == Some(&before) || before.is_empty() {
            return Ok(Tried::Saved);
        }
        let stored = self.store().await;
        if look(&self.place).await? != before {
            return Ok(Tried::Changing);
        }
        let reference = stored?;
        if self.saved != Some(reference) {
            let report = self.attempt.report(ReportBody::Checkpointed {
                checkpoint: reference,
            });
            self.attempt.tools.outbox.post(report).await;
            self.saved = Some(reference);
        }
        self.seen = Some(before);
        Ok(Tried::Saved)
    }

    async fn store(&self) -> Result<ArtifactRef, String> {
        let (base, place) = (self.attempt.folder.root().to_owned(), self.place.clone());
        let scan = blocking(move || {
            collect_within(&base, &place, ArtifactKind::Tree)
                .map_err(|error: ScanError| crate::error::chain(&error))
        })
        .await?;
        let store = &self.attempt.tools.sources.store;
        store
            .upload(&scan, &())
            .await
            .map_err(|error| crate::error::chain(&error))
    }
}

async fn look(place: &Path) -> Result<Snapshot, String> {
    let place = place.to_owned();
    blocking(move || {
        match Snapshot::take(&place) {
            // Something went away between two names: it is looked at again.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && place.is_dir() => {
                Snapshot::take(&place)
            }
            taken => taken,
        }
        .map_err(|error| error.to_string())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err("the worker is ending".into()))
}
