//! What a file system says about a file without reading it. Two equal stamps mean that nobody wrote to the file in between,
//! as far as the kernel's clock can tell; hashes are remembered under stamps, and changes during an upload are seen by them.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// Identity, length and times of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    pub(crate) size_bytes: u64,
    modified_ns: i64,
    changed_ns: i64,
}

impl Stamp {
    /// The stamp in this metadata.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether both show the same file with the same content. The time of the last change of the inode is left out: renaming, linking
    /// and changing the mode move it without touching a byte.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        self.same_file(other) && self.size_bytes == other.size_bytes && self.modified_ns == other.modified_ns
    }

    /// Whether both belong to the same file, whatever is in it.
    pub(crate) fn same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }

    /// Whether the file was last touched so long before `now_ns` (the kernel's own coarse clock) that a later write must show
    /// another time. File systems that keep whole seconds need two seconds, others a few ticks.
    pub(crate) fn is_settled(&self, now_ns: i64) -> bool {
        const TICKS_NS: i64 = 30_000_000;
        const WHOLE_SECONDS_NS: i64 = 2_000_000_000;
        let last = self.modified_ns.max(self.changed_ns);
        let coarse = last % 1_000_000_000 == 0;
        now_ns.saturating_sub(last) > if coarse { WHOLE_SECONDS_NS } else { TICKS_NS }
    }
}

/// The clock from which the kernel takes the times of files, in nanoseconds since the Unix epoch.
pub(crate) fn kernel_now_ns() -> i64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn stamp(modified_ns: i64) -> Stamp {
        Stamp {
            device: 1,
            inode: 2,
            size_bytes: 3,
            modified_ns,
            changed_ns: modified_ns,
        }
    }

    #[test]
    fn a_file_written_just_now_is_not_settled() {
        assert!(!stamp(5_000_000_001).is_settled(5_000_000_001));
        assert!(stamp(5_000_000_001).is_settled(5_100_000_000));
    }

    #[test]
    fn whole_seconds_need_a_longer_wait() {
        assert!(!stamp(5_000_000_000).is_settled(6_000_000_000));
        assert!(stamp(5_000_000_000).is_settled(7_100_000_000));
    }

    #[test]
    fn renaming_keeps_the_content_and_writing_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, "x").unwrap();
        let before = Stamp::of(&fs::metadata(&one).unwrap());
        fs::rename(&one, &two).unwrap();
        assert!(before.same_content(&Stamp::of(&fs::metadata(&two).unwrap())));
        fs::write(&two, "yy").unwrap();
        assert!(!before.same_content(&Stamp::of(&fs::metadata(&two).unwrap())));
    }
}
