//! Making a journal that does not begin with event 1: what lies before was never here, and a snapshot stands for it.

use super::JournalError;
use super::claim::Claim;
use super::head::{Head, HeadFile};
use super::sled::{SledLog, data_path, open_database, records_dir};
use std::path::{Path, PathBuf};
use tidemill_protocol::digest::Digest;

/// Makes an empty journal in a claimed folder, whose next event is `first`. `before` is any word about what came before; it becomes the hash that the
/// first record follows.
///
/// # Errors
/// [`JournalError::Damaged`] when there is a journal already.
pub fn create_at(claim: Claim, first: u64, before: &[u8]) -> Result<SledLog, JournalError> {
    let dir = claim.dir().to_owned();
    if HeadFile::path(&dir).exists() || data_path(&dir).exists() {
        return Err(JournalError::damaged(&dir, "there is a journal already"));
    }
    if first > 1 {
        std::fs::create_dir_all(records_dir(&dir)).map_err(|e| JournalError::io("create", &dir, e))?;
        drop(open_database(&dir)?);
        drop(HeadFile::create(
            &dir,
            Head::starting_at(first, Digest::of(before)),
        )?);
    }
    Ok(SledLog::open(claim)?.0)
}

/// Whether there is a journal in this folder, or what is left of one.
pub fn exists(dir: &Path) -> bool {
    HeadFile::path(dir).exists() || data_path(dir).exists()
}

/// Moves the journal in `dir` beside itself, snapshots and all, durably. Nobody may hold it. Answers where it is now.
pub fn set_aside(dir: &Path, word: &str) -> Result<PathBuf, JournalError> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let place = (1..=u32::MAX)
        .map(|number| dir.with_file_name(format!("{name}.{word}-{number}")))
        .find(|place| !place.exists())
        .expect("nobody sets a journal aside four billion times");
    std::fs::rename(dir, &place).map_err(|e| JournalError::io("set aside", dir, e))?;
    super::snapshot::sync_path(dir.parent().unwrap_or(dir))?;
    Ok(place)
}

/// Gives a journal that was built under another name its own, durably. There is none yet; an empty folder may be, made by whoever looked for one.
pub fn put_in_place(built: &Path, dir: &Path) -> Result<(), JournalError> {
    drop(std::fs::remove_file(dir.join("LOCK")));
    drop(std::fs::remove_dir(dir));
    std::fs::rename(built, dir).map_err(|e| JournalError::io("rename", built, e))?;
    super::snapshot::sync_path(dir.parent().unwrap_or(dir))
}
