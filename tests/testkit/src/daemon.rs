//! A process of the product that runs beside a test: its log is kept in a file, and it never outlives the value.

use crate::eventually;
use crate::processes;
use rustix::process::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Last lines of a log that are shown when a test fails.
const TAIL_LINES: usize = 60;

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Daemon {
    /// Starts `command`; both its streams are appended to `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("the log can be written");
        let second = file.try_clone().expect("a handle can be copied");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(second).spawn();
        Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child: child.unwrap_or_else(|error| panic!("cannot start {name}: {error}")),
        }
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had resident, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    pub fn peak_bytes(&self) -> u64 {
        processes::peak_bytes(self.pid())
    }

    /// All that it has written so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// `kill -9`, and waits until it is gone. What it started is not touched.
    pub fn kill(mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&self) {
        processes::signal(self.child.id(), Signal::TERM);
    }

    /// Keeps it from doing anything until [`Self::thaw`].
    pub fn freeze(&self) {
        processes::signal(self.child.id(), Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        processes::signal(self.child.id(), Signal::CONT);
    }

    /// Ctrl-C; does not wait.
    pub fn interrupt(&self) {
        processes::signal(self.child.id(), Signal::INT);
    }

    /// SIGHUP: look at the files again.
    pub fn hang_up(&self) {
        processes::signal(self.child.id(), Signal::HUP);
    }

    #[expect(clippy::print_stderr, reason = "a test that fails says all it knows")]
    fn show_log(&self) {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(TAIL_LINES)..)
            .unwrap_or_default();
        eprintln!("---- last lines of {} ----\n{}", self.name, tail.join("\n"));
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not within `deadline`.
    pub fn wait(mut self, deadline: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(deadline, &what, || self.child.try_wait().ok().flatten())
    }

    /// Waits until it ends by itself, which it must do well.
    ///
    /// # Panics
    /// When it ends badly, with all that it said, or not in time.
    #[track_caller]
    pub fn wait_for_success(mut self, deadline: Duration) {
        let what = format!("{} ends", self.name);
        let status = eventually(deadline, &what, || self.child.try_wait().ok().flatten());
        assert!(
            status.success(),
            "{} ended with {status}: {}",
            self.name,
            self.log()
        );
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            self.show_log();
        }
    }
}
