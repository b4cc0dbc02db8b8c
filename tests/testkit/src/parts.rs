//! What a cluster is made of: its workers, its broker, its lease.

use std::path::PathBuf;

/// The broker that `scripts/test` starts.
const BROKER: &str = "amqp://guest:guest@127.0.0.1:5672";
/// Makes a coordinator give silent workers up as soon as it ever may.
pub const SHORTEST_LEASE: [(&str, &str); 1] = [("TIDEMILL_LEASE", "10s")];

/// A worker to be started.
#[derive(Debug, Clone, Copy)]
pub struct WorkerPlan {
    /// Its name; also that of its state folder.
    pub name: &'static str,
    /// The compute targets that it serves, each `NAME:TYPE`.
    pub compute: &'static [&'static str],
    /// How many steps it runs at once.
    pub slots: u32,
}

/// One of each kind, as the examples need them.
pub const ONE_OF_EACH: [WorkerPlan; 3] = [
    WorkerPlan {
        name: "cpu-1",
        compute: &["cpu-cluster:cpu"],
        slots: 2,
    },
    WorkerPlan {
        name: "gpu-1",
        compute: &["gpu-cluster:gpu"],
        slots: 1,
    },
    WorkerPlan {
        name: "spark-1",
        compute: &["spark-pool:spark"],
        slots: 1,
    },
];

/// How a cluster reaches its RabbitMQ.
#[derive(Debug, Clone)]
pub struct BrokerAccess {
    /// Its address.
    pub url: String,
    /// Certificates of authorities that vouch for it.
    pub authorities: Option<PathBuf>,
}

impl Default for BrokerAccess {
    fn default() -> Self {
        Self {
            url: BROKER.to_owned(),
            authorities: None,
        }
    }
}
