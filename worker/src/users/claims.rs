//! Which user of the range has which attempt. A file for each user that is taken, named by its number, says which worker took it: workers of one machine share the
//! folder, and a restarted one finds what its attempts have. The folder is emptied by a reboot, after which nothing runs.

use super::processes::of_user;
use super::range::UserRange;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the users that are taken are noted, for all workers of this machine.
pub const USERS_DIR: &str = "/run/tidemill-users";

/// The users of a worker's steps.
#[derive(Debug)]
pub(crate) struct Users {
    range: Option<UserRange>,
    dir: PathBuf,
    /// The state folder of this worker, by which its notes are known.
    owner: PathBuf,
    /// How far into the range the next look begins: a number rests for as long as possible.
    next: AtomicU32,
}

impl Users {
    /// Users out of this range, none where there is no range. The folder is made where it is needed.
    pub(crate) fn open(range: Option<UserRange>, dir: &Path, owner: &Path) -> io::Result<Self> {
        if range.is_some() {
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let found = fs::symlink_metadata(dir)?;
            if !found.is_dir() || found.uid() != 0 || found.mode() & 0o022 != 0 {
                let message = format!("{} is not a folder that only root changes", dir.display());
                return Err(io::Error::new(ErrorKind::PermissionDenied, message));
            }
        }
        Ok(Self {
            range,
            dir: dir.to_owned(),
            owner: owner.to_owned(),
            next: AtomicU32::new(0),
        })
    }

    /// Whether attempts get users.
    pub(crate) const fn are_given(&self) -> bool {
        self.range.is_some()
    }

    /// Takes a user that nobody has and that has no process; none where attempts get none. Blocks.
    ///
    /// # Errors
    /// All are taken, or the folder cannot be used.
    pub(crate) fn take(&self) -> io::Result<Option<u32>> {
        let Some(range) = self.range else {
            return Ok(None);
        };
        let begin = self.next.load(Ordering::Relaxed);
        for step in 0..range.len() {
            let place = begin.wrapping_add(step) % range.len();
            let uid = range.first + place;
            if !self.claim(uid)? {
                continue;
            }
            if of_user(uid).is_empty() {
                self.next.store(place + 1, Ordering::Relaxed);
                return Ok(Some(uid));
            }
            // Somebody else's, who does not know of this folder.
            self.give_back(uid);
        }
        Err(io::Error::other(
            "every user for steps (`step_user`) is taken on this machine",
        ))
    }

    /// Gives a user back that has no process any more.
    pub(crate) fn give_back(&self, uid: u32) {
        if let Err(error) = fs::remove_file(self.note(uid))
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(uid, %error, "cannot give a step's user back");
        }
    }

    /// Sees to it that these users, which attempts of an earlier start have, are noted, and answers those that this worker had taken for attempts that are over.
    pub(crate) fn keep(&self, live: &BTreeSet<u32>) -> io::Result<Vec<u32>> {
        for uid in live.iter().filter(|_| self.range.is_some()) {
            self.claim(*uid)?;
        }
        let mut over = Vec::new();
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return Ok(over);
        };
        for entry in entries.flatten() {
            let uid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(uid) = uid
                && !live.contains(&uid)
                && self.owner_of(uid).as_deref() == Some(&*self.owner)
            {
                over.push(uid);
            }
        }
        Ok(over)
    }

    fn note(&self, uid: u32) -> PathBuf {
        self.dir.join(uid.to_string())
    }

    fn owner_of(&self, uid: u32) -> Option<PathBuf> {
        let text = fs::read(self.note(uid)).ok()?;
        Some(PathBuf::from(std::ffi::OsString::from_vec(text)))
    }

    /// Notes a user as this worker's; false when it is taken. What a worker noted whose state folder is gone counts no more.
    fn claim(&self, uid: u32) -> io::Result<bool> {
        if self.write_note(uid)? {
            return Ok(true);
        }
        match self.owner_of(uid) {
            Some(owner) if owner.as_os_str().is_empty() || owner.exists() => Ok(false),
            Some(_) => {
                fs::remove_file(self.note(uid)).ok();
                self.write_note(uid)
            }
            // Given back at this moment.
            None => Ok(false),
        }
    }

    fn write_note(&self, uid: u32) -> io::Result<bool> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        match options.open(self.note(uid)) {
            Ok(mut file) => {
                file.write_all(self.owner.as_os_str().as_bytes())?;
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(dir: &Path, owner: &str) -> Option<Users> {
        // Only root may have such a folder.
        rustix::process::geteuid().is_root().then(|| {
            let owner = dir.join(owner);
            fs::create_dir_all(&owner).unwrap();
            let range = UserRange {
                first: 1_900_100_000,
                last: 1_900_100_002,
            };
            Users::open(Some(range), &dir.join("users"), &owner).unwrap()
        })
    }

    #[test]
    fn no_two_attempts_have_one_user_also_not_of_two_workers() {
        let dir = tempfile::tempdir().unwrap();
        let (Some(one), Some(other)) = (users(dir.path(), "a"), users(dir.path(), "b")) else {
            return;
        };
        let taken = [one.take(), other.take(), one.take()].map(|uid| uid.unwrap().unwrap());
        assert_eq!(BTreeSet::from(taken).len(), 3, "{taken:?}");
        assert!(other.take().is_err(), "there is no fourth");
        one.give_back(taken[0]);
        assert_eq!(other.take().unwrap(), Some(taken[0]));
    }

    #[test]
    fn a_restarted_worker_keeps_what_its_attempts_have_and_clears_away_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let (Some(before), Some(other)) = (users(dir.path(), "a"), users(dir.path(), "b")) else {
            return;
        };
        let [live, over, foreign] = [before.take(), before.take(), other.take()].map(|u| u.unwrap().unwrap());
        let after = users(dir.path(), "a").unwrap();
        assert_eq!(after.keep(&BTreeSet::from([live])).unwrap(), [over]);
        assert!(
            after.take().is_err(),
            "{live} and {foreign} are taken, {over} not given back yet"
        );
        after.give_back(over);
        assert_eq!(after.take().unwrap(), Some(over));
    }

    #[test]
    fn what_a_worker_had_that_is_gone_for_good_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let (Some(gone), Some(other)) = (users(dir.path(), "a"), users(dir.path(), "b")) else {
            return;
        };
        for _ in 0..3 {
            gone.take().unwrap();
        }
        assert!(other.take().is_err());
        fs::remove_dir(dir.path().join("a")).unwrap();
        assert!(other.take().unwrap().is_some());
    }

    #[test]
    fn without_a_range_there_is_no_user_and_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let none = Users::open(None, &dir.path().join("users"), dir.path()).unwrap();
        assert_eq!(none.take().unwrap(), None);
        assert!(!dir.path().join("users").exists());
    }
}
