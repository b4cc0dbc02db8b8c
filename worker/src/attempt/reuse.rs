//! Whether the folder of an attempt that is over may serve another: only when the attempt left nothing in it but its streams. Making and removing folders is
//! most of what a short step costs a disk.

use super::folder::{FOLDER_MODE, Folder};
use super::seal::Seal;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

impl Folder {
    /// The folder for another attempt, when this one left nothing in it but its streams, which are emptied.
    pub(crate) fn reuse(&self) -> Option<Self> {
        let streams = [self.stdout(), self.stderr()];
        let seal = match self.seal {
            Some(seal) if self.folders().iter().all(|f| is_sealed(f, seal)) => Some(seal),
            _ if self.is_as_made() => self.put_seal(),
            _ => return None,
        };
        streams.iter().all(|stream| empty(stream).is_ok()).then(|| Self {
            root: self.root.clone(),
            is_ready: true,
            seal,
        })
    }

    fn is_as_made(&self) -> bool {
        is_own(&self.root, &["attempt", "stderr", "stdout", "tmp", "work"])
            && is_own(&self.work(), &["logs", "outputs"])
            && is_own(&self.work_outputs(), &[])
            && is_own(&self.work_logs(), &[])
            && is_own(&self.temporary(), &[])
    }

    /// Whether anything may lie in `./outputs` or `./logs`.
    pub(crate) fn has_artifacts(&self) -> bool {
        [self.work_outputs(), self.work_logs()].iter().any(|folder| {
            let untouched = self.seal.is_some_and(|seal| is_sealed(folder, seal));
            !untouched && !is_empty(folder)
        })
    }

    /// None when the file system does not keep seals: then the folders are listed each time.
    fn put_seal(&self) -> Option<Seal> {
        let seal = Seal::new();
        let is_kept = self.folders().iter().all(|f| seal.put(f).unwrap_or(false));
        is_kept.then_some(seal)
    }

    /// The folders that every attempt has.
    fn folders(&self) -> [PathBuf; 5] {
        [
            self.root.clone(),
            self.work(),
            self.work_outputs(),
            self.work_logs(),
            self.temporary(),
        ]
    }
}

/// Whether a folder is one that we made, with the mode that we gave it, and holds what it held when it was sealed.
fn is_sealed(folder: &Path, seal: Seal) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|m| is_ours(&m) && seal.holds(&m))
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.is_dir() && metadata.mode() & 0o7777 == FOLDER_MODE
}

pub(super) fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

/// Whether a folder is one that we made, with the mode that we gave it, and holds exactly these names.
fn is_own(folder: &Path, names: &[&str]) -> bool {
    if !fs::symlink_metadata(folder).is_ok_and(|m| is_ours(&m)) {
        return false;
    }
    let Ok(entries) = fs::read_dir(folder) else {
        return false;
    };
    let mut found = 0;
    for entry in entries {
        let is_expected =
            entry.is_ok_and(|e| e.file_name().to_str().is_some_and(|name| names.contains(&name)));
        if !is_expected {
            return false;
        }
        found += 1;
    }
    found == names.len()
}

/// Empties a stream's file, if it is a plain file with no other name.
fn empty(stream: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(stream)?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if metadata.len() > 0 {
        fs::OpenOptions::new().write(true).truncate(true).open(stream)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::folder::RECORD;
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn used(dir: &Path) -> Folder {
        let folder = Folder::at(dir.join("k"));
        folder.make().unwrap();
        folder.make_work(false).unwrap();
        for file in [folder.stdout(), folder.stderr(), folder.root().join(RECORD)] {
            fs::write(file, "said").unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_in_which_nothing_was_left_serves_again() {
        let dir = tempfile::tempdir().unwrap();
        let again = used(dir.path()).reuse().unwrap();
        assert_eq!(fs::metadata(again.stdout()).unwrap().len(), 0);
        assert!(again.make().is_ok() && again.make_work(false).is_ok());
    }

    #[test]
    fn a_folder_in_which_anything_was_left_does_not_serve_again() {
        type Leave = fn(&Folder);
        let leave: [Leave; 6] = [
            |f| fs::write(f.temporary().join("x"), "").unwrap(),
            |f| fs::write(f.work().join("x"), "").unwrap(),
            |f| fs::write(f.work_logs().join("x"), "").unwrap(),
            |f| fs::remove_dir(f.work_outputs()).unwrap(),
            |f| fs::set_permissions(f.work(), fs::Permissions::from_mode(0o500)).unwrap(),
            |f| {
                fs::remove_file(f.stdout()).unwrap();
                std::os::unix::fs::symlink("/etc/passwd", f.stdout()).unwrap();
            },
        ];
        for (number, leave) in leave.iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            let folder = used(dir.path());
            leave(&folder);
            assert_eq!(folder.reuse(), None, "case {number}");

            let dir = tempfile::tempdir().unwrap();
            let sealed = used(dir.path()).reuse().unwrap();
            leave(&sealed);
            assert_eq!(sealed.reuse(), None, "case {number}, sealed");
        }
    }

    #[test]
    fn what_came_and_went_does_not_keep_a_folder_from_serving_again() {
        let dir = tempfile::tempdir().unwrap();
        let sealed = used(dir.path()).reuse().unwrap();
        fs::write(sealed.temporary().join("x"), "").unwrap();
        fs::remove_file(sealed.temporary().join("x")).unwrap();
        assert!(sealed.reuse().is_some());
    }

    #[test]
    fn artifacts_are_seen_with_and_without_a_seal() {
        let dir = tempfile::tempdir().unwrap();
        let folder = used(dir.path());
        assert!(!folder.has_artifacts());
        let sealed = folder.reuse().unwrap();
        assert!(!sealed.has_artifacts());
        fs::write(sealed.work_logs().join("x"), "").unwrap();
        assert!(folder.has_artifacts() && sealed.has_artifacts());
    }

    #[test]
    fn a_closed_folder_holds_no_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let folder = used(dir.path());
        assert_eq!(folder.read_record(), None);
        folder.close();
        assert_eq!(folder.read_record(), None);
    }
}
