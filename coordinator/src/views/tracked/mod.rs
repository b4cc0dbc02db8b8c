//! Runs and experiments as clients of tracking see them: those that were logged, and tidemill's own runs and attempts, which appear among them without anything
//! being kept of them. Pure.

mod experiment;
mod model;
mod own;
mod run;
mod shown;

pub(crate) use experiment::{
    ShownExperiment, all as experiments, by_id as experiment, by_name as experiment_by_name, own_names,
};
pub(crate) use model::{MODELS, ShownModel};
pub(crate) use own::base_of;
pub(crate) use run::{runs_in, shown_run};
pub(crate) use shown::{RUNS, ShownRun};
