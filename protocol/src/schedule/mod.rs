//! The words of schedules: when a published pipeline is started by itself, with what, and what became of each such moment. Kept in the journal, so readable for ever.
//! When a moment comes is the coordinator's to reckon.

mod changes;
mod firing;
mod trigger;

pub use changes::FilesChange;
pub use firing::{Firing, FiringOutcome, Moment};
pub use trigger::{Cron, FilesChanged, Frequency, NewVersion, Recurrence, RunEnded, Trigger, WeekDay};

use crate::catalog::Version;
use crate::name::Name;
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is started, when, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// When.
    pub trigger: Trigger,
    /// The published pipeline.
    pub pipeline: Name,
    /// A version or a label of it, looked up at each firing; the one labelled `default` when absent, or without such a label the one added last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Values for its parameters, as text. `${{creation_context.trigger_time}}` in one is the moment of the firing, `${{name}}` a name of its own for each firing;
    /// `${{trigger.version}}` and `${{trigger.run}}` are the version that was added and the run that ended; of changed files `${{trigger.path}}` is the address of what is
    /// watched, `${{trigger.files}}` a JSON list of those that were added or changed, the first hundred at most, and `${{trigger.count}}` how many there were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What people call its runs; the pipeline's display name when absent. May hold the same expressions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The experiment of its runs; the pipeline's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// The project that its runs belong to; the one to which the token is bound that makes the schedule, else `default`, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Labels of its runs beside the pipeline's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Added to every step's priority.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// Run every step, whatever is known.
    #[serde(default, skip_serializing_if = "is_false")]
    pub force_rerun: bool,
    /// Whether steps that do not depend on a failed one go on; as the pipeline says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continue_on_step_failure: Option<bool>,
    /// What becomes of moments that passed while no coordinator was there.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// What happens when a run of this schedule still goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// Each firing is late by a part of this, always the same for the same moment, so that many schedules of one minute do not start together. At most a day.
    #[serde(default, skip_serializing_if = "is_at_once")]
    pub jitter: Millis,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What becomes of moments that passed while no coordinator was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are missed.
    #[default]
    None,
    /// The last of them is made up for, the others are missed.
    Last,
    /// Each is made up for, the newest hundred at most.
    All,
}

/// What happens at a moment at which a run of the same schedule still goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Another run is started beside it.
    Allow,
    /// Nothing is started.
    #[default]
    Skip,
    /// The run is started when the one before it has ended; sixteen at most wait so.
    Queue,
    /// The one that goes on is cancelled.
    CancelRunning,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_at_once(length: &Millis) -> bool {
    *length == Millis(0)
}
