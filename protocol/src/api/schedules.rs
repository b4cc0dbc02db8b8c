//! Schedules over REST.

use crate::name::Name;
use crate::schedule::{Firing, ScheduleSpec};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScheduleView {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub spec: ScheduleSpec,
    /// Counts every change; also the answer's `ETag`.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it; its runs are theirs.
    pub created_by: String,
    /// Why it does not fire; none while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseView>,
    /// When it fires next, its jitter included; while it is paused, when it would. None when it has fired for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// How many moments wait for the run before them.
    #[serde(default)]
    pub waiting: u64,
    /// The last moment that was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Firing>,
    /// What the last look at its files came to; none when it watches none, or nobody has looked since the coordinator started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<LookView>,
}

/// What a look at the files of a datastore came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LookView {
    /// When.
    pub at: Timestamp,
    /// How many files there are; 0 when they could not be listed.
    pub files: u64,
    /// Why they could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Why a schedule does not fire, or a webhook or mailing tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PauseView {
    /// Since when.
    pub at: Timestamp,
    /// Who paused it.
    pub by: String,
    /// Why; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Pauses a schedule, a webhook or a mailing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Why, for whoever asks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A moment that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MomentView {
    /// The moment that the schedule names.
    pub nominal: Timestamp,
    /// When it fires: the same with its jitter.
    pub at: Timestamp,
}
