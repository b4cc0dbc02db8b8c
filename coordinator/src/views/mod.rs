//! Pictures of the state for the API: from the engine's data to what travels over REST. Pure, except for the store that is asked which files of two folders
//! differ.

mod assets;
mod changes;
mod compute;
mod experiment;
mod explain;
mod fleet;
mod history;
mod measured;
mod plan;
mod run;
mod step;
pub(crate) mod tracked;
mod version;

pub(crate) use assets::{asset_view, parameters_of};
pub(crate) use changes::{Phrased, describe_changes};
pub(crate) use compute::target_views;
pub(crate) use experiment::{NOTE_TAG, all_experiments, experiment_view};
pub(crate) use explain::sentences;
pub(crate) use fleet::{quarantined_of, queue_views, worker_views};
pub(crate) use history::History;
pub(crate) use measured::{Measured, bucket_view, measured};
pub(crate) use plan::draft_plan;
pub(crate) use run::{artifacts, comment_view, draft_diff, run_summary, run_view};
pub(crate) use step::{named_outputs, step_view};
pub(crate) use version::{MODEL_TAG, RUN_TAG, made_by, measured_version, metrics, version_view};
