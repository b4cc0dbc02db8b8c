//! Three RabbitMQ nodes on this machine that are one cluster, and what may happen between them.

use crate::rabbit::House;
use crate::{Namespace, Rabbit};
use std::thread;

/// A cluster of three. Its nodes are reached one by one.
#[derive(Debug)]
pub struct RabbitTrio {
    /// The nodes. The second and the third have joined the first.
    pub nodes: [Rabbit; 3],
}

impl RabbitTrio {
    /// Starts three nodes, each with these lines in its configuration file, and joins them.
    ///
    /// # Panics
    /// When they do not come up, or do not find each other.
    pub fn start(configuration: &str) -> Self {
        let house = House::open();
        Self::join([(); 3].map(|()| Rabbit::prepare(&house, configuration)))
    }

    /// The same, each node with a network of its own, which the test may make silent. Clients reach a node where it is.
    ///
    /// # Errors
    /// Why this machine cannot have such networks.
    ///
    /// # Panics
    /// When they do not come up, or do not find each other.
    pub fn start_apart(configuration: &str) -> Result<Self, String> {
        let house = House::open();
        let networks: [Namespace; 3] = Namespace::open_all()?;
        let nodes = networks.map(|network| Rabbit::prepare_apart(&house, configuration, network));
        Ok(Self::join(nodes))
    }

    fn join(mut nodes: [Rabbit; 3]) -> Self {
        // The first one makes the cookie that the others read.
        nodes[0].restart();
        thread::scope(|scope| {
            for node in &mut nodes[1..] {
                scope.spawn(|| node.restart());
            }
        });
        let first = nodes[0].node();
        for node in &nodes[1..] {
            node.ctl(["stop_app"]);
            node.ctl(["join_cluster", &first]);
            node.ctl(["start_app"]);
        }
        Self { nodes }
    }

    /// Parts one node from the other two: it refuses their connections, and ends those that there are, until [`Self::heal`]. Its clients still reach it.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn part(&self, place: usize) {
        self.with_others(place, "erlang:set_cookie(N, parted), net_kernel:disconnect(N)");
    }

    /// Lets a node that was parted from the others find them again.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn heal(&self, place: usize) {
        self.with_others(place, "erlang:set_cookie(N, erlang:get_cookie())");
    }

    fn with_others(&self, place: usize, act: &str) {
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != place);
        let others: Vec<String> = others.map(|(_, node)| format!("'{}'", node.node())).collect();
        let program = format!("[begin {act} end || N <- [{}]], ok.", others.join(", "));
        self.nodes[place].ctl(["eval", &program]);
    }
}
