//! The state folder of this machine: who uses it now. One process at a time opens its journal; another one finds here at which address to ask
//! instead, or for whom to wait. The system takes the lock back however its owner ends.

use crate::exit::Exit;
use crate::failure::{Context, Failure};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long somebody who asks who is here may seem to be the owner, and how often to look again.
const ASKING_LENGTH: Duration = Duration::from_millis(300);
const ASKING_POLL: Duration = Duration::from_millis(10);
/// Longest note that is read from a lock file.
const NOTE_BYTES_MAX: usize = 4096;
/// How often a note is read that makes no sense: half of it may be what stood there before.
const READS_MAX: usize = 10;

/// Who uses a state folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Occupant {
    /// Its process.
    pub(crate) pid: u32,
    /// Its verb, e.g. `up`.
    pub(crate) verb: String,
    /// Where it answers, if it does.
    #[serde(default)]
    pub(crate) url: Option<String>,
}

/// The sole right to use a state folder; given back when dropped.
#[derive(Debug)]
pub(crate) struct StateLock {
    file: File,
    verb: &'static str,
}

/// What to do about a folder that cannot be used.
const ANOTHER_FOLDER: &str = "name a folder that you may write to with --state-dir or $TIDEMILL_STATE_DIR";

/// What came of asking for the lock.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// It is ours.
    Ours(StateLock),
    /// Somebody else's; this is who, as far as they wrote it down.
    Theirs(Option<Occupant>),
}

/// Makes the folder, for its owner only, and asks for its lock.
pub(crate) fn claim(folder: &Path, verb: &'static str) -> Result<Claimed, Failure> {
    let unusable = || format!("cannot use {} to keep state", folder.display());
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .context(unusable)
        .map_err(|failure| failure.help(ANOTHER_FOLDER))?;
    let path = lock_path(folder);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .context(unusable)
        .map_err(|failure| failure.help(ANOTHER_FOLDER))?;
    match file.try_lock() {
        Ok(()) => {
            let mut lock = StateLock { file, verb };
            lock.announce(None)?;
            Ok(Claimed::Ours(lock))
        }
        Err(TryLockError::WouldBlock) => Ok(Claimed::Theirs(read_note(&file))),
        Err(TryLockError::Error(error)) => Err(Failure::because(
            Exit::Failure,
            format!("cannot lock {}", path.display()),
            &error,
        )),
    }
}

/// As [`claim`], but does not take those for an owner who only ask who is here: they hold the lock, too, for a moment.
pub(crate) async fn claim_soon(folder: &Path, verb: &'static str) -> Result<Claimed, Failure> {
    let began = Instant::now();
    loop {
        match claim(folder, verb)? {
            Claimed::Theirs(_) if began.elapsed() < ASKING_LENGTH => sleep(ASKING_POLL).await,
            claimed => return Ok(claimed),
        }
    }
}

/// Who uses this folder now; nobody when its lock is free or was never made.
pub(crate) fn occupant(folder: &Path) -> Option<Occupant> {
    let file = File::open(lock_path(folder)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read_note(&file).map(Occupant::without_stale_url),
        _ => None,
    }
}

impl Occupant {
    /// Whether it is a coordinator, which answers once it has come up.
    pub(crate) fn will_answer(&self) -> bool {
        matches!(self.verb.as_str(), "up" | "serve")
    }

    /// A new owner has the lock for a moment before its note stands there: an owner that is dead answers nowhere.
    fn without_stale_url(self) -> Self {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let is_gone = pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
        Self {
            url: self.url.filter(|_| !is_gone),
            ..self
        }
    }
}

fn lock_path(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn read_note(file: &File) -> Option<Occupant> {
    (0..READS_MAX).find_map(|_| {
        let mut bytes = [0; NOTE_BYTES_MAX];
        let length = file.read_at(&mut bytes, 0).ok()?;
        // What stood there before may be longer and not cut off yet.
        let mut notes = serde_json::Deserializer::from_slice(bytes.get(..length)?).into_iter();
        notes.next()?.ok()
    })
}

impl StateLock {
    /// Writes down who holds the lock and where it answers: over what stood there, so that whoever reads always finds a note.
    pub(crate) fn announce(&mut self, url: Option<&str>) -> Result<(), Failure> {
        let note = Occupant {
            pid: std::process::id(),
            verb: self.verb.to_owned(),
            url: url.map(str::to_owned),
        };
        let text = serde_json::to_string(&note)?;
        let write = || {
            self.file.write_all_at(text.as_bytes(), 0)?;
            self.file.set_len(text.len() as u64)
        };
        write().context(|| "cannot write the lock file of the state folder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_to_come_learns_who_was_first_and_where_to_ask() {
        let folder = tempfile::tempdir().unwrap();
        let Claimed::Ours(mut lock) = claim(folder.path(), "up").unwrap() else {
            panic!("a free folder was refused");
        };
        lock.announce(Some("http://127.0.0.1:1")).unwrap();
        let Claimed::Theirs(Some(who)) = claim(folder.path(), "run").unwrap() else {
            panic!("the lock was given out twice");
        };
        assert_eq!(
            (who.verb.as_str(), who.url.as_deref()),
            ("up", Some("http://127.0.0.1:1"))
        );
        assert_eq!(occupant(folder.path()).unwrap().pid, std::process::id());
        drop(lock);
        assert!(occupant(folder.path()).is_none());
        assert!(matches!(claim(folder.path(), "run").unwrap(), Claimed::Ours(_)));
    }

    #[test]
    fn whoever_reads_while_the_note_changes_finds_one() {
        let folder = tempfile::tempdir().unwrap();
        let Claimed::Ours(mut lock) = claim(folder.path(), "up").unwrap() else {
            panic!("a free folder was refused");
        };
        let changing = std::thread::spawn(move || {
            for _ in 0..10_000 {
                lock.announce(Some("http://127.0.0.1:1")).unwrap();
                lock.announce(None).unwrap();
            }
            lock
        });
        while !changing.is_finished() {
            let who = occupant(folder.path());
            assert!(who.is_some_and(|who| who.verb == "up"));
        }
        drop(changing.join().unwrap());
    }

    #[tokio::test]
    async fn whoever_only_asks_is_no_owner_but_an_owner_is() {
        let folder = tempfile::tempdir().unwrap();
        drop(claim(folder.path(), "up").unwrap());
        let asking = File::open(lock_path(folder.path())).unwrap();
        asking.try_lock_shared().unwrap();
        let claiming = claim_soon(folder.path(), "up");
        let leaving = async {
            sleep(ASKING_POLL * 3).await;
            asking.unlock().unwrap();
        };
        let (claimed, ()) = tokio::join!(claiming, leaving);
        assert!(matches!(claimed.unwrap(), Claimed::Ours(_)));
        let _owner = claim(folder.path(), "up").unwrap();
        let second = claim_soon(folder.path(), "up").await.unwrap();
        assert!(matches!(second, Claimed::Theirs(Some(_))), "{second:?}");
    }

    #[test]
    fn the_address_of_a_dead_owner_is_not_handed_out() {
        let note = |pid| Occupant {
            pid,
            verb: "up".to_owned(),
            url: Some("http://127.0.0.1:1".to_owned()),
        };
        assert!(note(std::process::id()).without_stale_url().url.is_some());
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        child.wait().unwrap();
        assert!(note(child.id()).without_stale_url().url.is_none());
    }
}
