//! The standby of a cluster, and what is known of the coordinators that there were.

use super::places::Place;
use super::{Cluster, START_DEADLINE};
use crate::asking::{Asked, ask};
use crate::observer::Observer;
use crate::ports::free_ports;
use crate::{Daemon, eventually};
use std::path::PathBuf;
use std::time::Duration;
use tidemill_protocol::ids::RunId;

impl Cluster {
    /// Starts the coordinator with these arguments, and with variables that stand instead of the cluster's own, from now on.
    pub fn set_up_coordinator(&mut self, arguments: &[&str], variables: Vec<(&'static str, String)>) {
        self.coordinator_arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        self.coordinator_variables = variables;
    }

    /// Starts a standby with the coordinator's key and waits until it follows.
    ///
    /// # Panics
    /// When it ends.
    pub fn start_standby(&mut self) {
        let [port] = free_ports();
        let listen = format!("127.0.0.1:{port}");
        let key = self.key();
        let name = format!("standby-{}", self.states.len());
        let arguments = ["serve", "--standby", "--listen", &listen, "--signing-key", &key];
        let mut command = self.daemon(&arguments, &name);
        let log = self.sandbox.path().join(format!("{name}.log"));
        let mut standby = Daemon::start("standby", &mut command, &log);
        eventually(START_DEADLINE, "the standby follows", || {
            assert!(standby.is_running(), "the standby ended: {}", standby.log());
            standby.log().contains("standing by for").then_some(())
        });
        self.standby = Some((port, name, standby));
    }

    /// The file of the key that every coordinator here signs with: the first one made it.
    ///
    /// # Panics
    /// When the sandbox's path is no text.
    pub fn key(&self) -> String {
        let key = self.sandbox.path().join("coordinator/coordinator.key");
        key.to_str().expect("the path is text").to_owned()
    }

    /// Waits until the standby answers as the coordinator; from then on it is the coordinator here. Answers the one before it, if it is still there.
    ///
    /// # Panics
    /// When it does not take over in time, or ends.
    pub fn wait_for_takeover(&mut self, deadline: Duration) -> Option<Daemon> {
        let (port, name, mut standby) = self.standby.take().expect("there is a standby");
        let before = self.coordinator.take();
        self.port = port;
        // Whoever sits at the old one's machine may still look at it.
        self.place.iter_mut().for_each(Place::leave);
        self.states.push(name);
        eventually(deadline, "the standby answers", || {
            assert!(standby.is_running(), "the standby ended: {}", standby.log());
            (self.cli(["runs", "list"]).code == Some(0)).then_some(())
        });
        self.coordinator = Some(standby);
        self.enter_coordinator();
        before
    }

    /// From now on the coordinator is the one on the state folder of this name, at an address of its own, as on another machine. It is not started by this.
    /// Answers the one before it, which is left alone.
    pub fn move_coordinator_to(&mut self, name: &str) -> Option<Daemon> {
        [self.port] = free_ports();
        self.states.push(name.to_owned());
        self.coordinator.take()
    }

    /// State folders of the coordinators that there were; the last one is that of the present one.
    pub fn states(&self) -> Vec<PathBuf> {
        let states = self.states.iter();
        states.map(|name| self.sandbox.path().join(name)).collect()
    }

    /// Somebody who watches the daemons and all that they start from now on.
    pub fn observe(&self) -> Observer {
        Observer::start(&self.roll, &self.broker, &self.prefix)
    }

    /// Whether what is done from now on takes from the coordinator what it would answer with: it is not asked for signs of life then.
    pub fn starve_coordinator(&self, is_starved: bool) {
        self.roll.census().is_starved = is_starved;
    }

    /// Asks for the end of a run that there is not. Answers whether the coordinator refused.
    pub fn is_refused_to_cancel(&self, unknown: RunId) -> bool {
        let path = format!("/api/v1/runs/{unknown}/cancel");
        let token = self.token.as_deref();
        ask(self.port, "POST", &path, token, START_DEADLINE, || true) == Asked::Answered(404)
    }

    /// Writes the present coordinator down for whoever observes.
    pub(super) fn enter_coordinator(&self) {
        let pid = self.coordinator().pid();
        let mut census = self.roll.census();
        census.coordinator = Some((self.port, pid));
        census.daemons.insert(pid);
        census.names.extend(self.states.last().cloned());
    }

    /// Writes a worker down for whoever observes.
    pub(super) fn enter_worker(&self, name: &str, daemon: &Daemon) {
        let mut census = self.roll.census();
        census.daemons.insert(daemon.pid());
        census.names.insert(name.to_owned());
        census.workers.insert(name.to_owned(), daemon.pid());
    }
}
