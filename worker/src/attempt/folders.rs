//! All folders of attempts: those that an earlier daemon left, and those that wait for another attempt.

use super::folder::Folder;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where attempts have their folders. A folder is named by a number; whose it is at the moment is written in it.
#[derive(Debug)]
pub(crate) struct Folders {
    dir: PathBuf,
    ready: Vec<Folder>,
    next: u64,
}

impl Folders {
    /// Opens the place, making it if need be; answers also the folders that are there already.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, Vec<Folder>)> {
        fs::create_dir_all(dir)?;
        let mut left = Vec::new();
        let mut next = 0;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok());
            next = next.max(number.map_or(0, |number| number + 1));
            left.push(Folder::at(entry.path()));
        }
        let folders = Self {
            dir: dir.to_owned(),
            ready: Vec::new(),
            next,
        };
        Ok((folders, left))
    }

    /// A folder for an attempt: one that is ready, or one to be made.
    pub(crate) fn take(&mut self) -> Folder {
        self.ready.pop().unwrap_or_else(|| {
            self.next += 1;
            Folder::at(self.dir.join((self.next - 1).to_string()))
        })
    }

    /// A folder is ready for another attempt. There are never more of them than there were attempts at once.
    pub(crate) fn put_back(&mut self, folder: Folder) {
        self.ready.push(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_an_earlier_daemon_used_is_not_used_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("7")).unwrap();
        let (mut folders, left) = Folders::open(dir.path()).unwrap();
        assert_eq!(left.len(), 1);
        assert!(folders.take().root().ends_with("8"));
        let ninth = folders.take();
        folders.put_back(ninth.clone());
        assert_eq!(folders.take(), ninth);
    }
}
