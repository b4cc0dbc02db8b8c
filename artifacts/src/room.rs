//! How much room a disk has left, and how much of it is not for newcomers. What somebody without room does about it is not decided here.

use std::io;
use std::path::{Path, PathBuf};

/// Below this a program that writes is as good as without a disk: it may have removed the little that it could not write.
const FULL_BYTES: u64 = 4 * 1024 * 1024;

/// A part of a disk that is kept free. Cheap to ask: one system call, no memory of earlier answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    folder: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// So many bytes, on the disk that holds this folder. 0 reserves nothing.
    pub fn new(folder: impl Into<PathBuf>, bytes: u64) -> Self {
        Self {
            folder: folder.into(),
            bytes,
        }
    }

    /// The bytes that are free, when they are fewer than the reserve. A disk that does not tell counts as one with room.
    pub fn shortage(&self) -> Option<u64> {
        free_bytes(&self.folder).ok().filter(|free| *free < self.bytes)
    }

    /// Whether next to nothing can be written any more, whatever the reserve.
    pub fn is_used_up(&self) -> bool {
        free_bytes(&self.folder).is_ok_and(|free| free < FULL_BYTES)
    }

    /// How many bytes are kept free.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// What a user without privileges may still write on the disk that holds this path, in bytes.
fn free_bytes(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_short_of_room_when_less_is_free_than_reserved() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Reserve::new(folder.path(), 0).shortage(), None);
        let all = Reserve::new(folder.path(), u64::MAX);
        assert!(all.shortage().is_some_and(|free| free > 0));
    }

    #[test]
    fn a_disk_that_does_not_tell_has_room() {
        let gone = Reserve::new("/nowhere/at/all", u64::MAX);
        assert_eq!((gone.shortage(), gone.is_used_up()), (None, false));
    }
}
