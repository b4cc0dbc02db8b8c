//! An export becomes the journal of a state folder: built beside its place, read by the engine once, and only then put there.

use crate::driver::recover;
use crate::journal::{self, Claim, ImportError, JournalError, SledLog, Snapshots};
use std::io::BufRead;
use std::path::Path;

/// Reads an export into the state folder `state_dir`, which must have no journal. Answers how many events and runs there are.
///
/// # Errors
/// When the export is not whole or the folder has a journal; nothing is in its place then.
pub fn import_journal(from: &mut dyn BufRead, state_dir: &Path) -> Result<(u64, usize), ImportError> {
    let dir = state_dir.join("journal");
    if journal::exists(&dir) {
        return Err(ImportError::Exists(dir));
    }
    let draft = state_dir.join("journal.importing");
    if draft.exists() {
        std::fs::remove_dir_all(&draft)?;
    }
    let events = journal::import(from, Claim::take(&draft)?)?;
    let runs = replay(&draft)?;
    journal::put_in_place(&draft, &dir)?;
    Ok((events, runs))
}

fn replay(dir: &Path) -> Result<usize, JournalError> {
    let (log, _) = SledLog::open(Claim::take(dir)?)?;
    Ok(recover(&log, Some(&Snapshots::of(dir)), dir)?.engine.runs_len())
}
