//! What may be asked of tracking, and why something is not done.

use super::fact::{
    DatasetUse, Lifecycle, ModelOutput, ModelPoint, ModelStatus, NewModel, SealedPoints, StoredFile,
    TrackedStatus,
};
use super::id::TrackedId;
use super::point::Point;
use std::collections::BTreeMap;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;

/// Something asked of tracking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackingCommand {
    /// Who asks.
    pub by: String,
    /// What tidemill itself knows of what is to be changed; needed only where nothing is kept of it yet.
    pub base: Option<Base>,
    /// What is to be done.
    pub change: TrackingChange,
}

/// An experiment that tidemill's own runs name, and one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The experiment's id.
    pub experiment: String,
    /// Its name.
    pub experiment_name: String,
    /// The run, if one is meant.
    pub run: Option<NewRun>,
}

/// A run that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id.
    pub run: TrackedId,
    /// Its experiment's id.
    pub experiment: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// When it began: milliseconds since 1970.
    pub started_at: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackingChange {
    /// Make an experiment.
    CreateExperiment {
        /// Its name.
        name: String,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Change an experiment; what is none stays.
    ChangeExperiment {
        /// Its id.
        id: String,
        /// Its new name.
        name: Option<String>,
        /// Delete or restore it.
        lifecycle: Option<Lifecycle>,
        /// Tags to set, or with none to remove.
        tags: BTreeMap<String, Option<String>>,
    },
    /// Make a run.
    CreateRun(NewRun),
    /// Change a run; what is none stays.
    ChangeRun {
        /// Its id.
        run: TrackedId,
        /// Its new name.
        name: Option<String>,
        /// How it stands.
        status: Option<TrackedStatus>,
        /// When it ended.
        ended_at: Option<i64>,
        /// Delete or restore it.
        lifecycle: Option<Lifecycle>,
    },
    /// Log to a run.
    Log(Logging),
    /// Note a model as older clients do: in a list that is a tag of the run.
    NoteModel {
        /// The run.
        run: TrackedId,
        /// What is noted of the model.
        model: serde_json::Value,
    },
    /// Note what a run used and made.
    Link {
        /// The run.
        run: TrackedId,
        /// Data sets that it used.
        datasets: Vec<DatasetUse>,
        /// Models that it used.
        models_in: Vec<String>,
        /// Models that it made.
        models_out: Vec<ModelOutput>,
    },
    /// Register a name for a model that has no version yet, or say something else of it.
    Announce {
        /// The name.
        name: Name,
        /// Free text.
        description: String,
        /// Its tags.
        tags: BTreeMap<String, String>,
    },
    /// Give such a name up.
    Unannounce(Name),
    /// Note that points are in the store.
    Seal {
        /// The run.
        run: TrackedId,
        /// Their content.
        blob: Digest,
        /// How long it is.
        size_bytes: u64,
        /// For each metric how many points were sealed before, and what is sealed now.
        series: BTreeMap<String, (u64, SealedPoints)>,
    },
    /// Put a file, which is in the store, at a path.
    StoreFile {
        /// The path.
        path: String,
        /// The file.
        file: StoredFile,
    },
    /// Remove a file or a folder.
    RemoveFiles(String),
    /// Log a model.
    LogModel {
        /// Its id.
        model: String,
        /// What it is.
        logged: NewModel,
    },
    /// Change a model; what is none stays.
    ChangeModel {
        /// Its id.
        model: String,
        /// How it stands.
        status: Option<ModelStatus>,
        /// Parameters to add.
        params: BTreeMap<String, String>,
        /// Tags to set, or with none to remove.
        tags: BTreeMap<String, Option<String>>,
        /// Delete it.
        lifecycle: Option<Lifecycle>,
    },
}

/// What is to be logged to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The run.
    pub run: TrackedId,
    /// Points with the names of their metrics.
    pub points: Vec<(String, Point)>,
    /// Those that are a model's, too.
    pub of_models: Vec<ModelPoint>,
    /// Parameters.
    pub params: Vec<(String, String)>,
    /// Tags to set, or with none to remove.
    pub tags: BTreeMap<String, Option<String>>,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrackingRejection {
    /// No such experiment.
    #[error("there is no experiment with the id `{0}`")]
    UnknownExperiment(String),
    /// No such run.
    #[error("there is no run with the id `{0}`")]
    UnknownRun(String),
    /// No such model.
    #[error("there is no logged model with the id `{0}`")]
    UnknownModel(String),
    /// No such file.
    #[error("there is no artifact `{0}`")]
    UnknownFile(String),
    /// Something has the name already.
    #[error("an experiment is called `{0}` already{1}")]
    ExperimentTaken(String, &'static str),
    /// What is deleted does not change.
    #[error("the {0} is deleted; restore it first")]
    Deleted(&'static str),
    /// A parameter has one value for ever.
    #[error(
        "the parameter `{key}` is `{old}` and cannot become `{new}`: a parameter of a run is logged once; log it to another run, or as a tag"
    )]
    ParamChanged {
        /// The parameter.
        key: String,
        /// Its value.
        old: String,
        /// What it was to become.
        new: String,
    },
    /// It breaks a rule.
    #[error("{0}")]
    Invalid(String),
    /// There is no room for more.
    #[error("there are {max} {what}, which is the most there may be; delete some")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        max: usize,
    },
    /// The points before these are still on their way into the store.
    #[error("the store has not taken earlier points of this run yet")]
    Backlogged,
}
