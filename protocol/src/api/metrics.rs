//! Metrics that steps logged: the last point of each, and charts.

use crate::ids::StepPath;
use crate::number::Number;
use serde::{Deserialize, Serialize};

/// A point of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MetricPoint {
    /// At which step of the training.
    pub step: i64,
    /// When: milliseconds since 1970, by the clock of whoever logged it.
    pub time: i64,
    /// What; `"NaN"`, `"Infinity"` and `"-Infinity"` are texts.
    #[schema(value_type = f64)]
    pub value: Number,
}

/// A metric of a step's last attempt, of the run as a whole, or of a tracked run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MetricView {
    /// The step; none for what was logged to the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepPath>,
    /// Which attempt at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The id by which tracking knows it.
    pub tracked_run: String,
    /// The step that logged it, as `RUN/STEP`, where this one took its result over; the attempt is one at that step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<String>,
    /// The metric's name.
    pub key: String,
    /// Its last point: by step, then by time.
    pub last: MetricPoint,
    /// How many points there are.
    pub points: u64,
}

/// A chart of a metric: of a run's steps, as far as they logged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MetricChart {
    /// The metric's name.
    pub key: String,
    /// One for each step that logged it.
    pub series: Vec<MetricSeries>,
}

/// A metric of one step in as many buckets as were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MetricSeries {
    /// Whose it is, and how many points there are.
    pub of: MetricView,
    /// How many of the points are not in the store yet.
    pub unsealed: u64,
    /// What stands for the points, in the order of their steps.
    pub buckets: Vec<MetricBucket>,
}

/// What some neighbouring points are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MetricBucket {
    /// The smallest step.
    pub first_step: i64,
    /// The largest step.
    pub last_step: i64,
    /// The smallest value.
    pub min: MetricPoint,
    /// The largest value.
    pub max: MetricPoint,
    /// The last point.
    pub last: MetricPoint,
    /// How many points.
    pub points: u64,
}
