//! Shell two: what happens on a machine that makes attempts. [`start`] runs the worker daemon, [`supervise`] the small process that owns the steps'
//! processes and outlives it, [`perform`] what tidemill does itself for a step.
//!
//! The way of a task: `intake` verifies it, `driver` finds it a slot, `attempt` claims it, prepares its folder and environment, has the `supervisor` run its
//! process, stores what it left, and `outbox` sees to it that the coordinator hears of it. Coordinator and worker never import each other: they meet on the bus.

mod attempt;
mod clock;
mod config;
mod control;
mod driver;
mod ended;
mod environments;
mod error;
mod follow;
mod handle;
mod heartbeats;
mod identity;
mod intake;
mod logs;
mod metrics;
mod outbox;
mod pace;
mod perform;
mod probe;
mod quarantine;
mod run_as;
mod secrets;
mod slots;
mod supervisor;
mod users;
mod worker;

pub use clock::SystemClock;
pub use config::{SLOTS_MAX, UPLOAD_DEADLINES, WorkerConfig};
pub use error::{StartError, SuperviseError};
pub use handle::WorkerHandle;
pub use identity::Identity;
pub use metrics::METRICS;
pub use perform::{PerformError, perform};
pub use secrets::{AskError, SecretSource};
pub use supervisor::{ConfineError, Reach, Sandbox, StepLimits, confine, supervise, supervise_nothing};
pub use users::{RunAs, USERS_DIR, UserRange, let_through, shut};
pub use worker::{Parts, Worker, start};
