//! A cheap answer to "does this folder still hold exactly what we put there?". A sealed folder carries a modification time that nothing else gives it; adding,
//! removing or renaming anything in it changes that time. Looking at it is one system call where listing the folder is five.
//!
//! It guards against what steps leave behind, not against a step that forges the time on purpose: such a step runs as the same user as the next one
//! and has no need of that.

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Long before any step ran, so that no clock and no archive gives it by chance.
const SECONDS: i64 = 1_000_000_000;

/// What the folders of one attempt are sealed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    nanoseconds: i64,
}

impl Seal {
    /// A seal that no other folder has.
    pub(super) fn new() -> Self {
        let random = uuid::Uuid::now_v7().as_u128() % 1_000_000_000;
        Self {
            nanoseconds: i64::try_from(random).expect("below a thousand million"),
        }
    }

    /// Seals a folder; false when the file system does not keep such times exactly.
    pub(super) fn put(self, folder: &Path) -> io::Result<bool> {
        let time = Timespec {
            tv_sec: SECONDS,
            tv_nsec: self.nanoseconds,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        utimensat(CWD, folder, &times, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(self.holds(&fs::symlink_metadata(folder)?))
    }

    /// Whether what was read of a folder still shows the seal.
    pub(super) fn holds(self, metadata: &fs::Metadata) -> bool {
        metadata.mtime() == SECONDS && metadata.mtime_nsec() == self.nanoseconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_breaks_when_anything_is_added_removed_or_renamed() {
        type Touch = fn(&Path);
        let touches: [Touch; 4] = [
            |f| fs::write(f.join("new"), "").unwrap(),
            |f| fs::remove_file(f.join("old")).unwrap(),
            |f| fs::rename(f.join("old"), f.join("other")).unwrap(),
            |f| fs::create_dir(f.join("sub")).unwrap(),
        ];
        for (number, touch) in touches.iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("old"), "").unwrap();
            let seal = Seal::new();
            assert!(
                seal.put(dir.path()).unwrap(),
                "this file system keeps times exactly"
            );
            assert!(seal.holds(&fs::symlink_metadata(dir.path()).unwrap()));
            touch(dir.path());
            assert!(
                !seal.holds(&fs::symlink_metadata(dir.path()).unwrap()),
                "case {number}"
            );
        }
    }

    #[test]
    fn a_seal_is_not_another_ones() {
        let dir = tempfile::tempdir().unwrap();
        Seal::new().put(dir.path()).unwrap();
        assert!(!Seal::new().holds(&fs::symlink_metadata(dir.path()).unwrap()));
    }
}
