//! The claim that keeps a second process out of a journal. It says nothing about whether the journal is sound (`probe`).

use super::JournalError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The right to open the journal of one folder. Held by at most one process; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Claim {
    dir: PathBuf,
    _lock: File,
}

impl Claim {
    /// Claims the journal in `dir`, which is created when it is not there.
    pub fn take(dir: &Path) -> Result<Self, JournalError> {
        std::fs::create_dir_all(dir).map_err(|e| JournalError::io("create", dir, e))?;
        let path = dir.join("LOCK");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| JournalError::io("open", &path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                dir: dir.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(JournalError::InUse(dir.to_owned())),
            Err(TryLockError::Error(error)) => Err(JournalError::io("lock", &path, error)),
        }
    }

    /// The journal's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
