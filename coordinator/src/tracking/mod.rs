//! Tracking: experiments, the runs that clients of the MLflow protocol log to, and what they logged; a ledger like the catalog. Pure. How the protocol spells it is
//! the API's; how tidemill's own runs and attempts appear among them, the views'.

mod apply;
mod chart;
mod chunk;
mod command;
mod decide;
mod fact;
mod files;
mod id;
mod limits;
mod model;
mod point;
mod reading;
mod run;
mod sealer;
pub(crate) mod search;
mod state;

pub use chart::{Bucket, points_of, thin};
pub use chunk::{Chunk, Content};
pub use command::{Base, Logging, NewRun, TrackingChange, TrackingCommand, TrackingRejection};
pub use fact::{
    Columns, DatasetUse, Lifecycle, ModelOutput, ModelPoint, ModelStatus, NewModel, SealedPoints, StoredFile,
    TrackedStatus, TrackingFact,
};
pub use files::{Files, Listed};
pub use id::{DEFAULT_EXPERIMENT, DEFAULT_EXPERIMENT_NAME, Own, TrackedId, own_experiment_id};
pub use limits::{EXPERIMENTS_MAX, RUNS_MAX};
pub use model::{Announced, LoggedModel};
pub use point::Point;
pub(crate) use reading::{ReadError, chart, page};
pub use run::{Series, TrackedRun};
pub(crate) use sealer::run_sealer;
#[cfg(feature = "fuzzing")]
pub use search::fuzz_filter;
pub use state::{Experiment, Tracking};
pub use tidemill_protocol::number::Number;
