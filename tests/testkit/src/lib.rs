//! What the tests of the whole house share: the built binary, a folder of one's own for each test, daemons that never outlive it, a cluster
//! of real processes over RabbitMQ, faults to do to it, a checker that judges it afterwards, a secret to look for, and waiting for a condition.

mod answering;
mod asking;
mod authority;
mod binary;
mod canary;
mod checker;
mod cluster;
mod daemon;
mod depths;
mod eventually;
mod gate;
mod measured;
mod namespace;
mod observer;
mod overloaded;
mod parts;
mod ports;
mod processes;
mod python;
mod queues;
mod rabbit;
mod random;
mod relay;
mod runs;
mod sandbox;
pub mod spill;
mod store;
mod sync_fault;
mod trio;
mod up;
mod wall_clock;
mod wire;
mod workload;
mod wrapped;

pub use answering::serve;
pub use authority::Authority;
pub use binary::tidemill;
pub use canary::Canary;
pub use checker::{Breach, Evidence, Invariant, ManifestRead, Promise, Shelf, Told, gather, judge};
pub use cluster::Cluster;
pub use daemon::Daemon;
pub use eventually::eventually;
pub use gate::{BEGIN_DEADLINE, END_DEADLINE, Gate, is_alive};
pub use measured::Measured;
pub use namespace::Namespace;
pub use observer::{Observer, Overdue, Vitals};
pub use overloaded::Overloaded;
pub use parts::{BrokerAccess, ONE_OF_EACH, SHORTEST_LEASE, WorkerPlan};
pub use ports::free_ports;
pub use python::{mail_python, mlflow_python};
pub use rabbit::Rabbit;
pub use random::Random;
pub use relay::Relay;
pub use runs::Steps;
pub use sandbox::{Output, Sandbox};
pub use store::{S3Server, Store};
pub use sync_fault::SyncFault;
pub use trio::RabbitTrio;
pub use up::Up;
pub use wall_clock::WallClock;
pub use wire::Wire;
pub use workload::{Job, STEPS, Workload};

use std::path::PathBuf;

/// The root of the repository.
///
/// # Panics
/// Never: the tests are a folder of it.
pub fn repository() -> PathBuf {
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests is a folder of the root").to_owned()
}
