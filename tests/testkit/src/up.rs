//! The product as one long-lived process: `tidemill up` in a sandbox, ready to be asked. Several of them may follow each other in one sandbox, as
//! after a crash.

use crate::sandbox::{ANSWER_DEADLINE, finish};
use crate::{Daemon, END_DEADLINE, Output, Sandbox, eventually};
use std::ffi::OsStr;
use std::time::Duration;
use tidemill_protocol::api::RunView;
use tidemill_protocol::status::RunStatus;

/// How long it may take to be of use on a busy machine.
const START_DEADLINE: Duration = Duration::from_mins(1);

/// A running `tidemill up`. Its steps outlive it, as they do in a crash; they end with the sandbox.
#[derive(Debug)]
pub struct Up<'a> {
    sandbox: &'a Sandbox,
    daemon: Daemon,
    url: String,
}

impl<'a> Up<'a> {
    /// Starts it and waits until it says where it answers. Before that, other commands would take the state folder for themselves.
    ///
    /// # Panics
    /// When it does not come up; its log is shown.
    pub fn start(sandbox: &'a Sandbox, log: &str) -> Self {
        Self::start_at(sandbox, log, "0")
    }

    /// The same at a certain port, where the one before was.
    ///
    /// # Panics
    /// When it does not come up; its log is shown.
    pub fn start_at(sandbox: &'a Sandbox, log: &str, port: &str) -> Self {
        let log = sandbox.path().join(log);
        let mut command = sandbox.command(["up", "--port", port]);
        let mut daemon = Daemon::start("up", &mut command, &log);
        let url = eventually(START_DEADLINE, "it is up", || {
            assert!(daemon.is_running(), "it ended: {}", daemon.log());
            let log = daemon.log();
            let (_, rest) = log.split_once("is up at ")?;
            let (url, _) = rest.split_once('\n')?;
            Some(url.trim().to_owned())
        });
        Self { sandbox, daemon, url }
    }

    /// Where its API answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process.
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// `kill -9`. What it started is not touched.
    pub fn kill(self) {
        self.daemon.kill();
    }

    /// Ends it as Ctrl-C does and waits until it has.
    ///
    /// # Panics
    /// When it ends badly, or not in time.
    #[track_caller]
    pub fn stop(self) {
        self.daemon.terminate();
        self.daemon.wait_for_success(END_DEADLINE);
    }

    /// Runs a command of the product beside it to its good end.
    ///
    /// # Panics
    /// When it ends otherwise; the message holds all that it said.
    #[track_caller]
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        finish(&mut self.sandbox.command(arguments), ANSWER_DEADLINE).expect_code(0)
    }

    /// Submits a file and returns the run's id.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn submit(&self, file: &str, more: &[&str]) -> String {
        let mut arguments = vec!["submit", file, "--quiet"];
        arguments.extend(more);
        self.ok(arguments).stdout.trim().to_owned()
    }

    /// How a run stands.
    ///
    /// # Panics
    /// When there is no such run.
    #[track_caller]
    pub fn run(&self, id: &str) -> RunView {
        self.ok(["runs", "show", id, "-o", "json"]).json()
    }

    /// Waits until a run has ended as wished, and returns it.
    ///
    /// # Panics
    /// When it ends otherwise, or not in time.
    #[track_caller]
    pub fn wait_for_run(&self, id: &str, wanted: RunStatus, deadline: Duration) -> RunView {
        eventually(deadline, &format!("run {id} is {wanted}"), || {
            let run = self.run(id);
            let status = run.summary.status;
            assert!(
                status == wanted || !status.is_terminal(),
                "run {id} ended as {status}: {run:#?}"
            );
            (status == wanted).then_some(run)
        })
    }
}
