//! The cookie that every process of an attempt inherits, by which those that left its process groups are found and ended. It names the attempt and the
//! supervisor: one attempt may be with two workers of one machine for a moment, and neither may end the other's processes.

use super::procfs;
use rustix::process::{Pid, PidfdFlags, Signal};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// The environment variable that holds it.
pub(super) const VARIABLE: &str = "TIDEMILL_ATTEMPT_COOKIE";
/// Sweeps repeat until nothing is found, at most this often: a process may fork between being found and being ended.
const SWEEPS_MAX: u32 = 8;

/// What makes the cookies of one supervisor's folder its own, whichever process serves it.
#[derive(Debug, Clone)]
pub(super) struct Mark(Arc<str>);

impl Mark {
    /// The mark in this file, which is made when there is none.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let kept = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            other => other?,
        };
        if !kept.is_empty() {
            return Ok(Self(kept.into()));
        }
        let fresh = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let fresh = fresh.trim();
        fs::write(path, fresh)?;
        Ok(Self(fresh.into()))
    }

    /// The mark itself.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The cookie of an attempt.
    pub(super) fn cookie(&self, key: &str) -> Cookie {
        Cookie(format!("{key}@{}", self.0).into())
    }
}

/// The value that an attempt's processes carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cookie(Arc<str>);

impl Cookie {
    /// Ends every process that carries it.
    pub(super) fn sweep(&self) {
        for _ in 0..SWEEPS_MAX {
            let found = procfs::carriers(VARIABLE, &self.0);
            if found.is_empty() {
                return;
            }
            for pid in found {
                self.end(pid);
            }
        }
    }

    /// Ends a process if, seen through a handle that cannot come to mean another one, it carries this cookie.
    pub(super) fn end(&self, pid: Pid) {
        let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
            return;
        };
        if procfs::variable_of(pid, VARIABLE).as_deref() == Some(&self.0) {
            rustix::process::pidfd_send_signal(&handle, Signal::KILL).ok();
        }
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    fn carrier(cookie: &Cookie) -> Child {
        let child = Command::new("/bin/sleep")
            .arg("600")
            .env(VARIABLE, cookie.to_string())
            .spawn()
            .unwrap();
        // Until it has become the program, it does not carry what the program gets.
        let pid = Pid::from_child(&child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while procfs::variable_of(pid, VARIABLE).is_none() {
            assert!(Instant::now() < deadline, "the process never became the program");
            std::thread::yield_now();
        }
        child
    }

    #[test]
    fn a_folder_keeps_its_mark_and_another_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let first = Mark::open(&dir.path().join("one")).unwrap().cookie("k");
        assert_eq!(Mark::open(&dir.path().join("one")).unwrap().cookie("k"), first);
        assert_ne!(Mark::open(&dir.path().join("two")).unwrap().cookie("k"), first);
    }

    #[test]
    fn one_supervisors_sweep_leaves_another_ones_processes_of_the_same_attempt_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ours = Mark::open(&dir.path().join("ours")).unwrap().cookie("run-1-1");
        let theirs = Mark::open(&dir.path().join("theirs")).unwrap().cookie("run-1-1");
        let (mut own, mut other) = (carrier(&ours), carrier(&theirs));
        ours.sweep();
        assert!(!own.wait().unwrap().success());
        assert!(
            other.try_wait().unwrap().is_none(),
            "another one's process was ended"
        );
        theirs.sweep();
        assert!(!other.wait().unwrap().success());
    }
}
