//! Bounds what a step's output occupies on the disk while it is being written: the first and the last half of the allowance are kept, and the space of what
//! lies between them is given back to the file system. Offsets in the file stay what they are.

use rustix::fs::{FallocateFlags, fallocate};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

/// Holes begin and end at multiples of this, so that file systems can make them.
const BLOCK: u64 = 64 * 1024;

/// One stream's file and how far its middle has been given back.
#[derive(Debug)]
pub(super) struct CappedLog {
    path: PathBuf,
    bytes_max: u64,
    given_back_to: u64,
}

impl CappedLog {
    /// Watches a file.
    pub(super) fn new(path: &Path, bytes_max: u64) -> Self {
        Self {
            path: path.to_owned(),
            bytes_max,
            given_back_to: 0,
        }
    }

    /// Gives back what lies beyond the allowance now.
    pub(super) fn trim(&mut self) {
        let length = std::fs::metadata(&self.path).map_or(0, |m| m.len());
        if length <= self.bytes_max {
            return;
        }
        let head = (self.bytes_max / 2).next_multiple_of(BLOCK);
        let from = head.max(self.given_back_to);
        let to = (length - self.bytes_max / 2) / BLOCK * BLOCK;
        if to <= from {
            return;
        }
        let Ok(file) = OpenOptions::new().write(true).open(&self.path) else {
            return;
        };
        let punched = fallocate(
            &file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            from,
            to - from,
        );
        match punched {
            Ok(()) => self.given_back_to = to,
            // A file system without holes: keep the beginning and go on from there.
            Err(_) => drop(file.set_len(head)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_middle_of_a_flood_is_given_back_and_both_ends_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let bytes: Vec<u8> = (1..=128_u8).flat_map(|mark| vec![mark; 64 * 1024]).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mut log = CappedLog::new(&path, 1024 * 1024);
        log.trim();
        let meta = std::fs::metadata(&path).unwrap();
        assert!(meta.blocks() * 512 <= 2 * 1024 * 1024, "{} blocks", meta.blocks());
        let kept = std::fs::read(&path).unwrap();
        assert_eq!(kept[..512 * 1024], bytes[..512 * 1024]);
        if kept.len() == bytes.len() {
            assert_eq!(kept[kept.len() - 512 * 1024..], bytes[bytes.len() - 512 * 1024..]);
        }
    }

    #[test]
    fn a_small_log_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, b"hello").unwrap();
        CappedLog::new(&path, 64 * 1024).trim();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
    }
}
