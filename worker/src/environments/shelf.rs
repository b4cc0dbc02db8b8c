//! Built environments on the disk: one folder and one lock file each, named by content. A folder counts only with its marker, which is written last; users
//! hold the lock shared, builders and removers hold it alone, so several daemons may share the shelf.

use super::installation::installation;
use crate::attempt;
use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tidemill_protocol::digest::Digest;

/// Written into a folder when it is whole. Holds the build's notes, a line each, and where its Python is from; its time is that of the last use.
const MARKER: &str = ".tidemill-complete";
/// How that line of the marker begins; no note does.
const INSTALLATION: &str = "\tinstallation\t";

/// What the keys of builds begin with, by which the supervisor knows their processes; no key of an attempt does.
const KEY: &str = "environment-";

/// Where an environment is built, and what is there only for that.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The environment.
    pub folder: PathBuf,
    /// The home of its build.
    pub home: PathBuf,
    /// Pythons that its build has fetched; they are needed as long as it is.
    pub pythons: PathBuf,
    /// What its build said.
    pub log: PathBuf,
    name: String,
}

impl Place {
    fn of(dir: &Path, name: String) -> Self {
        let beside = |suffix| dir.join(format!("{name}.{suffix}"));
        Self {
            folder: dir.join(&name),
            home: beside("home"),
            pythons: beside("python"),
            log: beside("log"),
            name,
        }
    }

    /// The key of the build's processes.
    pub(super) fn key(&self) -> String {
        format!("{KEY}{}", self.name)
    }

    /// Where its processes put what they need for a moment.
    pub(super) fn temporary(&self) -> PathBuf {
        self.home.join("tmp")
    }

    /// What is to be installed.
    pub(super) fn requirements(&self) -> PathBuf {
        self.home.join("requirements.txt")
    }

    /// Removes what was built, or begun, all but the log. Blocks.
    pub(super) fn clear(&self) -> io::Result<()> {
        // The marker first, so that a half-removed folder never looks whole.
        fs::remove_file(self.folder.join(MARKER)).ok();
        [&self.folder, &self.home, &self.pythons]
            .into_iter()
            .try_for_each(|folder| attempt::remove(folder))
    }
}

/// Whether a key is that of a build.
pub(crate) fn is_build(key: &str) -> bool {
    key.starts_with(KEY)
}

/// A whole environment.
#[derive(Debug)]
pub(super) struct Built {
    /// Held as long as it is used.
    pub held: Use,
    /// What could not be honoured to the letter.
    pub notes: Vec<String>,
    /// What its programs need: itself, a Python that was fetched for it, and the installation that its Python is of, where that is neither.
    pub folders: Vec<PathBuf>,
}

/// A shared hold of an environment: as long as it lives, nobody removes it.
#[derive(Debug)]
pub(crate) struct Use {
    _lock: File,
}

/// The folder of environments.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    kept_max: usize,
    unused_max: Duration,
}

impl Shelf {
    /// Opens the folder, making it if need be.
    pub(super) fn open(dir: &Path, kept_max: usize, unused_max: Duration) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            kept_max,
            unused_max,
        })
    }

    /// Where an environment is built.
    pub(super) fn place(&self, digest: &Digest) -> Place {
        Place::of(&self.dir, digest.to_hex())
    }

    /// Where an environment lies.
    pub(super) fn folder(&self, digest: &Digest) -> PathBuf {
        self.dir.join(digest.to_hex())
    }

    /// What its build said.
    pub(super) fn log(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{digest}.log"))
    }

    fn lock_file(&self, name: &str) -> io::Result<File> {
        let path = self.dir.join(format!("{name}.lock"));
        OpenOptions::new().create(true).append(true).open(path)
    }

    /// Holds an environment if it is whole. Waits while another process builds or removes it. Blocks.
    pub(super) fn take(&self, digest: &Digest) -> io::Result<Option<Built>> {
        let marker = self.folder(digest).join(MARKER);
        if !marker.exists() {
            return Ok(None);
        }
        let lock = self.lock_file(&digest.to_hex())?;
        flock(&lock, FlockOperation::LockShared)?;
        let Ok(text) = fs::read_to_string(&marker) else {
            return Ok(None);
        };
        touch(&marker);
        let Place { folder, pythons, .. } = self.place(digest);
        let installation = match text.lines().find_map(|line| line.strip_prefix(INSTALLATION)) {
            Some("") => None,
            Some(path) => Some(PathBuf::from(path)),
            // An earlier version built it.
            None => installation(&folder.join("bin/python"), &folder),
        };
        let notes = text.lines().filter(|line| !line.starts_with(INSTALLATION));
        Ok(Some(Built {
            held: Use { _lock: lock },
            notes: notes.map(ToOwned::to_owned).collect(),
            folders: [folder, pythons].into_iter().chain(installation).collect(),
        }))
    }

    /// Holds an environment alone, to build it. Blocks.
    pub(super) fn hold_alone(&self, digest: &Digest) -> io::Result<File> {
        let lock = self.lock_file(&digest.to_hex())?;
        flock(&lock, FlockOperation::LockExclusive)?;
        Ok(lock)
    }

    /// Whether an environment is whole; asked by a builder that has just got hold of it, because another may have built it meanwhile.
    pub(super) fn is_whole(&self, digest: &Digest) -> bool {
        self.folder(digest).join(MARKER).exists()
    }

    /// Marks an environment as whole; its Python is of this installation.
    pub(super) fn finish(
        &self,
        digest: &Digest,
        notes: &[String],
        installation: Option<&Path>,
    ) -> io::Result<()> {
        let marker = self.folder(digest).join(MARKER);
        match fs::remove_file(&marker) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Never through a link that the build has put there.
        let mut file = OpenOptions::new().write(true).create_new(true).open(marker)?;
        let installation = installation.and_then(Path::to_str).unwrap_or_default();
        let lines = notes
            .iter()
            .cloned()
            .chain([format!("{INSTALLATION}{installation}")]);
        io::Write::write_all(&mut file, lines.collect::<Vec<_>>().join("\n").as_bytes())
    }

    /// Removes environments that were not used for too long or are too many, the longest unused first, and what builds have left behind; those in use stay. Blocks.
    pub(super) fn prune(&self) -> io::Result<()> {
        let (mut by_age, mut homes) = (BTreeSet::new(), BTreeSet::new());
        for entry in fs::read_dir(&self.dir)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.parse::<Digest>().is_ok() {
                // Without a marker it is half built: older than anything, and locked if its build goes on.
                let used = fs::metadata(entry.path().join(MARKER)).and_then(|m| m.modified());
                by_age.insert((used.unwrap_or(SystemTime::UNIX_EPOCH), name));
            } else if let Some(name) = name
                .strip_suffix(".home")
                .filter(|name| name.parse::<Digest>().is_ok())
            {
                homes.insert(name.to_owned());
            }
        }
        let mut count = by_age.len();
        for (used, name) in by_age {
            let is_old = used.elapsed().is_ok_and(|unused| unused > self.unused_max);
            if !is_old && count <= self.kept_max {
                break;
            }
            let lock = self.lock_file(&name)?;
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                let place = Place::of(&self.dir, name);
                place.clear()?;
                fs::remove_file(&place.log).ok();
            }
            // One that is in use does not count either.
            count -= 1;
        }
        for name in homes {
            if flock(&self.lock_file(&name)?, FlockOperation::NonBlockingLockExclusive).is_ok() {
                attempt::remove(&Place::of(&self.dir, name).home)?;
            }
        }
        Ok(())
    }
}

/// Does work on the shelf where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| "the worker is ending".to_owned())?
        .map_err(|error| format!("cannot use the folder of environments: {error}"))
}

/// Sets a file's time to now; the age of an environment is a courtesy, so failing is no error.
fn touch(path: &Path) {
    #[expect(
        clippy::disallowed_methods,
        reason = "file times are wall time, compared with file times only"
    )]
    let now = SystemTime::now();
    if let Ok(file) = OpenOptions::new().append(true).open(path) {
        file.set_times(FileTimes::new().set_modified(now)).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(shelf: &Shelf, name: &str, unused: Duration) -> Digest {
        let digest = Digest::of(name.as_bytes());
        fs::create_dir(shelf.folder(&digest)).unwrap();
        shelf
            .finish(&digest, &["note".to_owned()], Some(Path::new("/opt/python")))
            .unwrap();
        #[expect(clippy::disallowed_methods, reason = "file times are wall time")]
        let at = SystemTime::now() - unused;
        let marker = OpenOptions::new()
            .append(true)
            .open(shelf.folder(&digest).join(MARKER))
            .unwrap();
        marker.set_times(FileTimes::new().set_modified(at)).unwrap();
        digest
    }

    fn shelf(dir: &Path, kept_max: usize) -> Shelf {
        Shelf::open(dir, kept_max, Duration::from_secs(1000)).unwrap()
    }

    #[test]
    fn the_longest_unused_go_first_and_those_in_use_stay() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path(), 1);
        let in_use = built(&shelf, "in use", Duration::from_secs(2000));
        let old = built(&shelf, "old", Duration::from_secs(30));
        let new = built(&shelf, "new", Duration::from_secs(10));
        // Two holds by hand: taking it would make it young.
        let held = shelf.lock_file(&in_use.to_hex()).unwrap();
        flock(&held, FlockOperation::LockShared).unwrap();
        shelf.prune().unwrap();
        assert!(shelf.is_whole(&in_use));
        assert!(!shelf.is_whole(&old));
        drop(held);
        shelf.prune().unwrap();
        assert!(!shelf.is_whole(&in_use));
        assert!(shelf.is_whole(&new));
    }

    #[test]
    fn a_half_built_environment_is_not_given_out_and_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path(), 5);
        let digest = Digest::of(b"half");
        let place = shelf.place(&digest);
        for folder in [&place.folder, &place.home, &place.pythons] {
            fs::create_dir(folder).unwrap();
        }
        let built = shelf.place(&built(&shelf, "built", Duration::ZERO));
        fs::create_dir(&built.home).unwrap();
        assert!(shelf.take(&digest).unwrap().is_none());
        shelf.prune().unwrap();
        for gone in [&place.folder, &place.home, &place.pythons, &built.home] {
            assert!(!gone.exists(), "{}", gone.display());
        }
        assert!(built.folder.exists());
    }

    #[test]
    fn what_is_taken_comes_with_its_notes() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path(), 5);
        let digest = built(&shelf, "x", Duration::ZERO);
        let found = shelf.take(&digest).unwrap().unwrap();
        assert_eq!(found.notes, ["note"]);
        let place = shelf.place(&digest);
        assert_eq!(found.folders, [place.folder, place.pythons, "/opt/python".into()]);
    }
}
