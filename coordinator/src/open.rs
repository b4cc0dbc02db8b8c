//! Opening the state folder at a start: the journal (claim, probe, open, replay), and an empty place for uploads. What is made of it then is `start`'s business.

use crate::blocking::blocking;
use crate::config::{CoordinatorConfig, JournalChoice};
use crate::driver::{Recovered, recover};
use crate::journal::{Claim, EventLog, JournalError, SledLog, Snapshots, probe_in_child};
use std::path::{Path, PathBuf};

/// Opens the journal that the configuration names, after a child process has opened it first.
pub(crate) async fn open_journal(
    config: &CoordinatorConfig,
) -> Result<(Box<dyn EventLog>, Option<Snapshots>), JournalError> {
    match &config.journal {
        JournalChoice::Memory(log) => Ok((Box::new(log.clone()), None)),
        JournalChoice::Disk => {
            let dir = config.state_dir.join("journal");
            let claim = Claim::take(&dir)?;
            probe_in_child(&claim, &config.journal_probe).await?;
            let opened = blocking(move || SledLog::open(claim)).await;
            let (log, cut) = opened?;
            if let Some(cut) = cut {
                tracing::warn!(
                    kept = cut.kept,
                    records = cut.records,
                    reason = cut.reason,
                    "cut a torn tail of the journal: a batch that was being written at the end, of which nobody was told"
                );
            }
            Ok((Box::new(log), Some(Snapshots::of(&dir))))
        }
    }
}

/// Rebuilds the engine from it.
pub(crate) async fn replay(
    log: Box<dyn EventLog>,
    snapshots: Option<Snapshots>,
    config: &CoordinatorConfig,
) -> Result<(Box<dyn EventLog>, Recovered), JournalError> {
    let dir = config.state_dir.join("journal");
    blocking(move || {
        let recovered = recover(&*log, snapshots.as_ref(), &dir)?;
        tracing::info!(
            snapshot = recovered.snapshot,
            replayed = recovered.replayed,
            runs = recovered.engine.runs_len(),
            "journal replayed"
        );
        Ok((log, recovered))
    })
    .await
}

/// An empty folder for uploads: what an earlier process left there was never stored.
pub(crate) fn fresh_uploads(state_dir: &Path) -> std::io::Result<PathBuf> {
    let folder = state_dir.join("uploads");
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => std::fs::create_dir(&folder)?,
    }
    Ok(folder)
}
