//! Who is there and who is not, for somebody who keeps a cluster's daemons running as a service manager does: nothing here waits for a daemon to be of use.

use super::{Cluster, START_DEADLINE};
use crate::{Daemon, eventually};
use std::path::PathBuf;

impl Cluster {
    /// Starts the coordinator (again); does not wait.
    pub fn launch_coordinator(&mut self) {
        let command = self.coordinator_command(&format!("127.0.0.1:{}", self.port));
        let mut command = self.at_its_place(command);
        let log = self.sandbox.path().join("coordinator.log");
        self.coordinator = Some(Daemon::start("coordinator", &mut command, &log));
        self.enter_coordinator();
    }

    /// Waits until the coordinator answers.
    ///
    /// # Panics
    /// When it does not, or ends.
    pub fn wait_for_coordinator(&mut self) {
        eventually(START_DEADLINE, "the coordinator answers", || {
            assert!(
                self.has_coordinator(),
                "the coordinator ended: {}",
                self.coordinator_log()
            );
            (self.cli(["runs", "list"]).code == Some(0)).then_some(())
        });
    }

    /// Whether the coordinator's process is there.
    pub fn has_coordinator(&mut self) -> bool {
        self.coordinator.as_mut().is_some_and(Daemon::is_running)
    }

    /// Whether a worker's daemon is there.
    pub fn has_worker(&mut self, name: &str) -> bool {
        self.workers.get_mut(name).is_some_and(Daemon::is_running)
    }

    /// The files to which daemons here have written.
    pub fn logs(&self) -> Vec<PathBuf> {
        let names = self.roll.census().names.clone();
        let names = names.into_iter().map(|name| format!("{name}.log"));
        names.map(|name| self.sandbox.path().join(name)).collect()
    }
}
