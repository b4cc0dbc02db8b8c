//! How a folder looks from outside, without reading a file: enough to see that something was written, renamed or removed between two looks.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most entries of a folder that is looked at.
const ENTRIES_MAX: usize = 100_000;

/// A folder as it looked at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot(Vec<(PathBuf, Look)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: u64,
    size_bytes: u64,
    changed: (i64, i64),
}

impl Snapshot {
    /// Looks at everything below a folder, without following links. Blocks.
    pub(super) fn take(root: &Path) -> io::Result<Self> {
        let mut seen = Vec::new();
        let mut waiting = vec![root.to_owned()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                if metadata.is_dir() {
                    waiting.push(entry.path());
                }
                let look = Look {
                    inode: metadata.ino(),
                    size_bytes: metadata.size(),
                    // The time of the inode's change: a step cannot set it back.
                    changed: (metadata.ctime(), metadata.ctime_nsec()),
                };
                seen.push((entry.path(), look));
                if seen.len() > ENTRIES_MAX {
                    return Err(io::Error::other(format!("more than {ENTRIES_MAX} files")));
                }
            }
        }
        seen.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(Self(seen))
    }

    /// Whether there was nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_grows_or_goes_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let look = || Snapshot::take(dir.path()).unwrap();
        assert!(look().is_empty());
        fs::create_dir(dir.path().join("sub")).unwrap();
        let (file, other) = (dir.path().join("sub/a"), dir.path().join("b"));
        fs::write(&file, "1").unwrap();
        let first = look();
        assert_eq!(first, look(), "nothing happened");
        fs::write(&other, "2").unwrap();
        let second = look();
        assert_ne!(first, second);
        fs::rename(&other, &file).unwrap();
        let third = look();
        assert_ne!(second, third, "of the same length");
        fs::remove_file(&file).unwrap();
        assert_ne!(third, look());
    }
}
