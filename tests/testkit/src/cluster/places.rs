//! Daemons of a cluster in network namespaces of their own, whose links the test may silence. What else belongs to the cluster stays outside.

use super::Cluster;
use crate::{Namespace, Relay, WorkerPlan};
use std::path::PathBuf;
use std::process::Command;

/// Where a coordinator runs.
#[derive(Debug)]
pub(super) struct Place {
    /// None once the coordinator is another one.
    entry: Option<PathBuf>,
    /// How its clients here reach it, whatever its network does.
    _console: Relay,
}

impl Place {
    /// Coordinators start outside from now on.
    pub(super) fn leave(&mut self) {
        self.entry = None;
    }
}

impl Cluster {
    /// Starts a worker (again) within, with variables that stand instead of the cluster's own; does not wait. It asks the coordinator nothing: its API is for
    /// this machine alone.
    ///
    /// # Panics
    /// When the coordinator has not said its key.
    pub fn start_worker_within(
        &mut self,
        namespace: &Namespace,
        plan: WorkerPlan,
        variables: &[(&str, String)],
    ) {
        let mut command = self.worker_command(plan);
        command
            .env("TIDEMILL_COORDINATOR_KEY", self.public_key())
            .envs(variables.iter().map(|(name, value)| (name, value)));
        self.start_worker_by(plan, &mut namespace.within(&command));
    }

    /// Starts the coordinator within from now on. Its clients here are at its console, which no silence touches.
    ///
    /// # Panics
    /// When its port is taken.
    pub fn place_coordinator(&mut self, namespace: &Namespace) {
        self.place = Some(Place {
            entry: Some(namespace.file()),
            _console: namespace.console(self.port),
        });
    }

    /// What starts the coordinator, at the place where it is to be.
    pub(super) fn at_its_place(&self, command: Command) -> Command {
        let entry = self.place.as_ref().and_then(|place| place.entry.as_ref());
        match entry {
            None => command,
            Some(entry) => crate::namespace::enter(entry, &command),
        }
    }

    /// The key by which workers know the coordinator.
    ///
    /// # Panics
    /// When the first coordinator has not said it.
    pub fn public_key(&self) -> String {
        let log = self.coordinator_log();
        let (_, rest) = log
            .split_once("public key ")
            .expect("the coordinator says its key");
        let key = rest.split_whitespace().next();
        key.expect("the coordinator says its key").to_owned()
    }
}
