//! Somebody whose way to broker and store the trial can make silent: in a network namespace of their own where the machine allows one, otherwise behind proxies
//! of our own. Which of the two it was is said, and stands in the table of a campaign.

use std::net::SocketAddr;
use testkit::{Cluster, Namespace, Wire, WorkerPlan};

/// The ways of one daemon.
pub(crate) struct Far {
    line: Line,
    broker: SocketAddr,
    store: SocketAddr,
}

enum Line {
    Namespace(Namespace),
    Proxies(Box<[Wire; 2]>),
}

impl Far {
    /// Ways to a broker and a store that listen at these ports of the loopback.
    ///
    /// # Panics
    /// When no port is free.
    pub(crate) fn from(broker: u16, store: u16) -> Self {
        match Namespace::open() {
            Ok(mut namespace) => Self {
                broker: namespace.door(broker),
                store: namespace.door(store),
                line: Line::Namespace(namespace),
            },
            Err(why) => {
                tell_proxies(&why);
                let wires = [Wire::to(broker), Wire::to(store)];
                Self {
                    broker: wires[0].address(),
                    store: wires[1].address(),
                    line: Line::Proxies(Box::new(wires)),
                }
            }
        }
    }

    /// What leads a daemon by these ways.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "TIDEMILL_QUEUE_URL",
                format!("amqp://guest:guest@{}", self.broker),
            ),
            ("AWS_ENDPOINT", format!("http://{}", self.store)),
            // Only this machine is on the way.
            ("TIDEMILL_INSECURE_PLAINTEXT", "true".to_owned()),
        ]
    }

    /// Starts a worker there; does not wait.
    pub(crate) fn start_worker(&self, cluster: &mut Cluster, plan: WorkerPlan) {
        match &self.line {
            Line::Namespace(namespace) => cluster.start_worker_within(namespace, plan, &self.variables()),
            Line::Proxies(_) => cluster.start_worker_with(plan, &self.variables()),
        }
    }

    /// The coordinator will be started there.
    pub(crate) fn place_coordinator(&self, cluster: &mut Cluster, arguments: &[&str]) {
        cluster.set_up_coordinator(arguments, self.variables());
        if let Line::Namespace(namespace) = &self.line {
            cluster.place_coordinator(namespace);
        }
    }

    /// Nothing passes until [`Self::mend`], and nobody is told.
    pub(crate) fn silence(&self) {
        match &self.line {
            Line::Namespace(namespace) => namespace.silence().expect("it was tried before"),
            Line::Proxies(wires) => wires.iter().for_each(Wire::hold),
        }
    }

    /// Nothing arrives here until [`Self::mend`], while what is sent from here does.
    pub(crate) fn deafen(&self) {
        match &self.line {
            Line::Namespace(namespace) => namespace.deafen().expect("it was tried before"),
            Line::Proxies(wires) => wires.iter().for_each(Wire::hold_answers),
        }
    }

    /// Everything passes again.
    pub(crate) fn mend(&self) {
        match &self.line {
            Line::Namespace(namespace) => namespace.mend(),
            Line::Proxies(wires) => wires.iter().for_each(Wire::mend),
        }
    }
}

/// What the output of a trial without namespaces begins with; the table of a campaign repeats it.
pub(crate) const BY_PROXY: &str = "no network namespace here, but proxies";

#[expect(clippy::print_stdout, reason = "what was tried is another thing then")]
pub(crate) fn tell_proxies(why: &str) {
    println!("{BY_PROXY}: {why}");
}
