//! What happened in tracking: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use super::chart::Bucket;
use super::id::TrackedId;
use super::point::Point;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::number::Number;

/// What happened to an experiment or a tracked run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackingFact {
    /// An experiment was made, or one that only a run of tidemill's own had named was taken up.
    ExperimentCreated {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// Its tags.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
        /// Who made it.
        by: String,
    },
    /// Something about an experiment is different from now on; what is none stays.
    ExperimentChanged {
        /// Its id.
        id: String,
        /// Its new name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Whether it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifecycle: Option<Lifecycle>,
        /// Tags that are set, or with none removed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, Option<String>>,
        /// Who changed it.
        by: String,
    },
    /// A run was made, or one of tidemill's own was taken up because something was logged to it.
    RunCreated {
        /// Its id.
        run: TrackedId,
        /// Its experiment's id.
        experiment: String,
        /// Its name.
        name: String,
        /// Whose it is.
        user: String,
        /// When it began: milliseconds since 1970, by the client's clock.
        started_at: i64,
        /// Its tags.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
        /// Who made it.
        by: String,
    },
    /// Something about a run is different from now on; what is none stays.
    RunChanged {
        /// Its id.
        run: TrackedId,
        /// Its new name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// How it stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<TrackedStatus>,
        /// When it ended, by the client's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<i64>,
        /// Whether it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifecycle: Option<Lifecycle>,
        /// Who changed it.
        by: String,
    },
    /// Points, parameters and tags were logged to a run.
    Logged {
        /// The run.
        run: TrackedId,
        /// Points by metric, in the order in which they came.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        points: BTreeMap<String, Columns>,
        /// New parameters.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        params: BTreeMap<String, String>,
        /// Tags that are set, or with none removed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, Option<String>>,
        /// The points that are a model's, too.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        of_models: Vec<ModelPoint>,
    },
    /// It was noted what a run used and made.
    Linked {
        /// The run.
        run: TrackedId,
        /// Data sets that it used.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        datasets: Vec<DatasetUse>,
        /// Models that it used, by id.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        models_in: Vec<String>,
        /// Models that it made.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        models_out: Vec<ModelOutput>,
    },
    /// A file was logged; it takes the place of what was at its path.
    FileStored {
        /// Its path below the root of all artifacts.
        path: String,
        /// What it is.
        file: StoredFile,
        /// Who logged it.
        by: String,
    },
    /// A file was removed, or a folder with all its files.
    FilesRemoved {
        /// Its path below the root of all artifacts.
        path: String,
        /// Who removed it.
        by: String,
    },
    /// A model was logged.
    ModelLogged {
        /// Its id.
        model: String,
        /// What it is.
        logged: NewModel,
        /// Who logged it.
        by: String,
    },
    /// Something about a model is different from now on; what is none stays.
    ModelChanged {
        /// Its id.
        model: String,
        /// How it stands.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<ModelStatus>,
        /// Parameters that were added.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        params: BTreeMap<String, String>,
        /// Tags that are set, or with none removed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, Option<String>>,
        /// Whether it is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lifecycle: Option<Lifecycle>,
        /// Who changed it.
        by: String,
    },
    /// The first points of a run's metrics are in the store, and only what they are like stays here.
    PointsSealed {
        /// The run.
        run: TrackedId,
        /// Their content.
        blob: Digest,
        /// How long it is.
        size_bytes: u64,
        /// How many of each metric.
        series: BTreeMap<String, SealedPoints>,
    },
    /// A name was registered for a model that has no version yet, or what is said of it is different.
    ModelAnnounced {
        /// The name.
        name: Name,
        /// Free text.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        description: String,
        /// Its tags.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, String>,
        /// Who registered it.
        by: String,
    },
    /// The model has a version now, or the name is given up.
    ModelUnannounced {
        /// The name.
        name: Name,
        /// Who did it.
        by: String,
    },
}

/// What is kept of points that are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedPoints {
    /// How many.
    pub count: u64,
    /// What they are like.
    pub buckets: Vec<Bucket>,
}

/// A file in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Its content.
    pub blob: Digest,
    /// How long it is.
    pub size_bytes: u64,
}

/// What a logged model is when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewModel {
    /// Its experiment's id.
    pub experiment: String,
    /// Its name; others may have the same.
    pub name: String,
    /// Of what kind it is, in its client's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_type: Option<String>,
    /// The run that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<TrackedId>,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// How a logged model stands, in the words of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelStatus {
    /// Its files are on their way.
    #[default]
    Pending,
    /// It is whole.
    Ready,
    /// Its files did not arrive.
    Failed,
}

/// Whether something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// It is.
    #[default]
    Active,
    /// Only when deleted things are asked for.
    Deleted,
}

/// How a tracked run stands, in the words of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackedStatus {
    /// It goes on.
    #[default]
    Running,
    /// It has not begun.
    Scheduled,
    /// It ended well.
    Finished,
    /// It ended badly.
    Failed,
    /// It was ended.
    Killed,
}

impl TrackedStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Running,
        Self::Scheduled,
        Self::Finished,
        Self::Failed,
        Self::Killed,
    ];

    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// Whether nothing more is expected.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

impl Lifecycle {
    /// The word of the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// Points of one metric, column by column; all three are equally long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// When: milliseconds since 1970, by the client's clock.
    #[serde(rename = "t")]
    pub times: Vec<i64>,
    /// At which step.
    #[serde(rename = "s")]
    pub steps: Vec<i64>,
    /// What.
    #[serde(rename = "v")]
    pub values: Vec<Number>,
}

impl Columns {
    /// Adds a point.
    pub fn push(&mut self, point: Point) {
        self.times.push(point.time);
        self.steps.push(point.step);
        self.values.push(point.value);
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The points in their order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Point> + ExactSizeIterator + '_ {
        let pairs = self.times.iter().zip(&self.steps).zip(&self.values);
        pairs.map(|((&time, &step), &value)| Point { time, step, value })
    }

    /// Adds all points of another.
    pub fn append(&mut self, more: &Self) {
        self.times.extend_from_slice(&more.times);
        self.steps.extend_from_slice(&more.steps);
        self.values.extend_from_slice(&more.values);
    }

    /// Forgets the first points.
    pub fn drop_first(&mut self, count: usize) {
        let count = count.min(self.len());
        self.times.drain(..count);
        self.steps.drain(..count);
        self.values.drain(..count);
    }
}

/// A point that says something about a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPoint {
    /// The model's id.
    pub model: String,
    /// The metric.
    pub key: String,
    /// The point.
    pub point: Point,
    /// On which data set: its name and digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<(String, String)>,
}

/// A data set that a run used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetUse {
    /// Its name.
    pub name: String,
    /// Its digest, as its client computed it.
    pub digest: String,
    /// Of what kind its source is.
    pub source_type: String,
    /// Where it came from, as its client describes it.
    pub source: String,
    /// Its columns, as its client describes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What is in it, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What was said of the use, such as its context.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A model that a run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOutput {
    /// Its id.
    pub model: String,
    /// At which step of the training.
    pub step: i64,
}
