//! Where an attempt's secrets are while it lasts: one file for each in a folder in memory, from which the supervisor takes variables, the step reads files, and a
//! restarted daemon knows again what to cover. Nothing of it is on a disk (where the system has a file system in memory), and nothing is left after the attempt.

use super::redactor::Redactor;
use crate::users::{hand_over, own};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::plan::{SecretForm, SecretUse};
use tidemill_protocol::secret::{GivenSecrets, SecretValue};

/// What the kernel calls its file system in memory.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// The mode of the folder of all attempts' where steps are other users: they go through and list nothing.
const PASSAGE: u32 = 0o711;

/// What is to be covered in what an attempt's process wrote.
#[derive(Debug, Clone)]
pub(crate) enum Redaction {
    /// Nothing: the step has no secrets, or was not given them yet.
    Nothing,
    /// These.
    Of(Arc<Redactor>),
    /// Nobody knows: the secrets that its process was given are gone from this machine, so nothing that it wrote may be shown.
    Unknown,
}

/// An attempt's secrets.
#[derive(Debug)]
pub(crate) struct Keep {
    folder: PathBuf,
    /// What the process is given beside its secrets, to be covered like them.
    token: Option<SecretValue>,
    only_token: OnceLock<Redaction>,
    redaction: OnceLock<Redaction>,
}

impl Keep {
    /// The place for the secrets of the attempt with this key, below `dir`. Nothing is there yet.
    pub(crate) fn new(dir: &Path, key: &str) -> Self {
        Self {
            folder: dir.join(key),
            token: None,
            only_token: OnceLock::new(),
            redaction: OnceLock::new(),
        }
    }

    /// The same, where this is to be covered from the beginning.
    pub(crate) fn covering(mut self, token: Option<SecretValue>) -> Self {
        self.token = token;
        self
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a variable.
    pub(crate) fn file(&self, variable: &str) -> PathBuf {
        self.folder.join(variable)
    }

    /// Puts the secrets there for a process that is about to start, and gives the files to its user where that is another. Blocks.
    pub(crate) fn put(
        &self,
        uses: &BTreeMap<String, SecretUse>,
        given: &GivenSecrets,
        user: Option<u32>,
    ) -> io::Result<()> {
        let dir = self.folder.parent().unwrap_or(Path::new("/"));
        // First, because it takes an empty folder of all attempts' with it.
        self.clear();
        make_private(dir)?;
        make_private(&self.folder)?;
        for (variable, wanted) in uses {
            let value = given.0.get(&wanted.secret).ok_or(io::ErrorKind::NotFound)?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o400)
                .open(self.file(variable))?;
            file.write_all(value.reveal())?;
            if wanted.form == SecretForm::File
                && let Some(user) = user
            {
                own(&self.file(variable), user)?;
            }
        }
        if let Some(user) = user {
            // It finds its own files by their names; whoever else comes through finds nothing.
            hand_over(&self.folder, [], user)?;
            fs::set_permissions(dir, fs::Permissions::from_mode(PASSAGE))?;
        }
        let redactor = Redactor::new(given.0.values().chain(&self.token)).map_err(io::Error::other)?;
        // Known before the process starts: what it writes is never looked at without.
        self.redaction.set(Redaction::Of(Arc::new(redactor))).ok();
        Ok(())
    }

    /// Finds what an earlier daemon put there for a process that it started. Blocks.
    pub(crate) fn take_up(&self, uses: &BTreeMap<String, SecretUse>) {
        if uses.is_empty() {
            return;
        }
        let read = |variable: &String| -> io::Result<SecretValue> {
            SecretValue::new(fs::read(self.file(variable))?).map_err(io::Error::other)
        };
        let values = uses.keys().map(read).collect::<io::Result<Vec<_>>>();
        let redactor = values
            .and_then(|values| Redactor::new(values.iter().chain(&self.token)).map_err(io::Error::other));
        let redaction = redactor.map_or(Redaction::Unknown, |found| Redaction::Of(Arc::new(found)));
        self.redaction.set(redaction).ok();
    }

    /// What is to be covered in what the process has written by now. To be asked after it was read: secrets are known before a process can write them.
    pub(crate) fn redaction(&self) -> Redaction {
        if let Some(known) = self.redaction.get() {
            return known.clone();
        }
        let Some(token) = &self.token else {
            return Redaction::Nothing;
        };
        let covering = || {
            let redactor = Redactor::new([token]);
            redactor.map_or(Redaction::Unknown, |found| Redaction::Of(Arc::new(found)))
        };
        self.only_token.get_or_init(covering).clone()
    }

    /// Removes the secrets, and the folder of all attempts' when it was the last. Blocks.
    pub(crate) fn clear(&self) {
        if let Err(error) = fs::remove_dir_all(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::error!(folder = %self.folder.display(), %error, "cannot remove the secrets of an attempt that is over");
        }
        if let Some(dir) = self.folder.parent() {
            // Fails while another attempt has secrets.
            fs::remove_dir(dir).ok();
        }
    }
}

/// Removes what attempts left of which none of these keys is.
pub(crate) fn clear_all_but(dir: &Path, keys: &BTreeSet<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_known = entry.file_name().to_str().is_some_and(|name| keys.contains(name));
        if !is_known {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    fs::remove_dir(dir).ok();
}

/// Where a worker with this state folder puts secrets: in memory where this user has a folder there, else in the state folder. Never below `/dev/shm`, which
/// steps in a strict sandbox enter too.
pub(crate) fn default_dir(state_dir: &Path) -> PathBuf {
    let uid = rustix::process::getuid().as_raw();
    let places = [PathBuf::from(format!("/run/user/{uid}")), PathBuf::from("/run")];
    let own = places.into_iter().find(|place| is_own_memory(place, uid));
    own.map_or_else(|| state_dir.join("secrets"), |place| dir_in(&place, state_dir))
}

/// The folder of a worker with this state folder in a place that it may share with others.
pub(crate) fn dir_in(place: &Path, state_dir: &Path) -> PathBuf {
    let name = Digest::of(state_dir.as_os_str().as_encoded_bytes()).short();
    place.join(format!("tidemill-{name}"))
}

fn is_own_memory(place: &Path, uid: u32) -> bool {
    let is_own = fs::symlink_metadata(place).is_ok_and(|found| found.is_dir() && found.uid() == uid);
    is_own && rustix::fs::statfs(place).is_ok_and(|found| found.f_type == TMPFS)
}

/// Makes a folder that only this user enters; one that is there already must be such, or a mere passage. In a place where everybody may make folders, somebody else may have.
fn make_private(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    let is_ours = found.is_dir() && found.uid() == rustix::process::getuid().as_raw();
    let is_open = found.permissions().mode() & 0o066 != 0;
    if is_ours && !is_open {
        return Ok(());
    }
    let message = format!("{} is not a folder that only this user enters", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses() -> BTreeMap<String, SecretUse> {
        let wanted = SecretUse {
            secret: "db".parse().unwrap(),
            form: SecretForm::File,
        };
        BTreeMap::from([("DB".to_owned(), wanted)])
    }

    fn given() -> GivenSecrets {
        let value = SecretValue::new(b"hunter2".to_vec()).unwrap();
        GivenSecrets([("db".parse().unwrap(), value)].into())
    }

    #[test]
    fn secrets_are_their_owners_only_and_gone_with_the_attempt() {
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("all");
        let keep = Keep::new(&all, "attempt-1");
        assert!(matches!(keep.redaction(), Redaction::Nothing));
        keep.put(&uses(), &given(), None).unwrap();
        let file = keep.file("DB");
        assert_eq!(fs::read(&file).unwrap(), b"hunter2");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o400);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&all), mode(keep.folder())), (0o700, 0o700));
        assert!(matches!(keep.redaction(), Redaction::Of(_)));
        keep.clear();
        assert!(!all.exists());
    }

    #[test]
    fn a_restarted_daemon_knows_the_secrets_again_or_knows_that_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        Keep::new(dir.path(), "a").put(&uses(), &given(), None).unwrap();
        let found = Keep::new(dir.path(), "a");
        found.take_up(&uses());
        assert!(matches!(found.redaction(), Redaction::Of(_)));
        let lost = Keep::new(dir.path(), "b");
        lost.take_up(&uses());
        assert!(matches!(lost.redaction(), Redaction::Unknown));
        let without = Keep::new(dir.path(), "c");
        without.take_up(&BTreeMap::new());
        assert!(matches!(without.redaction(), Redaction::Nothing));
    }

    #[test]
    fn what_nobody_needs_is_cleared_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("all");
        for key in ["a", "b"] {
            Keep::new(&all, key).put(&uses(), &given(), None).unwrap();
        }
        clear_all_but(&all, &BTreeSet::from(["b".to_owned()]));
        assert!(!all.join("a").exists() && all.join("b").exists());
        clear_all_but(&all, &BTreeSet::new());
        assert!(!all.exists());
    }

    #[test]
    fn a_folder_that_others_enter_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let all = dir.path().join("all");
        fs::create_dir(&all).unwrap();
        fs::write(all.join("somebody's"), "").unwrap();
        fs::set_permissions(&all, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = Keep::new(&all, "a").put(&uses(), &given(), None).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        fs::remove_dir_all(&all).unwrap();
        std::os::unix::fs::symlink(dir.path(), &all).unwrap();
        assert!(Keep::new(&all, "a").put(&uses(), &given(), None).is_err());
    }
}
