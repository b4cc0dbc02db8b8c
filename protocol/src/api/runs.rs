//! Runs: submission, plan, list, one run, and what happened in it.

use super::{ActivityView, CommentView, Problem, StepView};
use crate::catalog::AssetUse;
use crate::ids::{RunId, StepPath};
use crate::name::{Name, PortName};
use crate::project::default_project;
use crate::spec::PipelineSpec;
use crate::status::{RunStatus, StepStatus};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Start a run of this pipeline; also the body of "what would run".
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubmitRequest {
    /// The pipeline, self-contained. Everything that it names by digest must be in the store already.
    #[schema(value_type = Object)]
    pub spec: PipelineSpec,
    /// Values for its parameters, as text; the declared types decide how each is read.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// What people call this run; the pipeline's display name when absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The experiment; the pipeline's when absent.
    #[serde(default)]
    pub experiment: Option<String>,
    /// The project that the run belongs to; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Labels beside the pipeline's own.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Added to every step's priority.
    #[serde(default)]
    pub priority: i32,
    /// Run every step, whatever is known.
    #[serde(default)]
    pub force_rerun: bool,
    /// Submitting twice with the same key gives the same run.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// Who submits, for display; replaced by the token's subject once there are tokens.
    #[serde(default)]
    pub submitted_by: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to pass as `cursor` for the next page; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// How many steps stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct StepCounts {
    /// All of them.
    pub total: u32,
    /// Blocked, ready or waiting.
    pub pending: u32,
    /// Dispatched.
    pub dispatched: u32,
    /// Running.
    pub running: u32,
    /// Succeeded.
    pub succeeded: u32,
    /// Reused.
    pub reused: u32,
    /// Skipped.
    pub skipped: u32,
    /// Failed.
    pub failed: u32,
    /// Cancelled or aborted.
    pub ended: u32,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunSummary {
    /// The run.
    pub id: RunId,
    /// The pipeline.
    pub pipeline: Name,
    /// What people call the run.
    pub display_name: String,
    /// The experiment.
    pub experiment: Name,
    /// The project that it belongs to.
    #[serde(default = "default_project")]
    pub project: Name,
    /// How it stands.
    pub status: RunStatus,
    /// Who submitted it.
    pub submitted_by: String,
    /// When.
    pub submitted_at: Timestamp,
    /// When its first step was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its steps.
    pub steps: StepCounts,
    /// Its labels.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A run with its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunView {
    /// What the list shows.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Its parameters as bound.
    #[serde(default)]
    pub parameters: BTreeMap<PortName, String>,
    /// Its steps in plan order.
    pub steps_list: Vec<StepView>,
    /// The pipeline's own outputs: name → `STEP.OUTPUT`.
    #[serde(default)]
    pub outputs: BTreeMap<PortName, String>,
    /// What the person should know though nothing is wrong.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The versions that the pipeline took from the catalog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetUse>,
    /// What people said of it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<CommentView>,
    /// Who did what to it, oldest first; of each kind the last hundred at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activity: Vec<ActivityView>,
}

/// One thing that happened in a run; the items of the event stream. Ids are the journal's sequence numbers, so a stream can be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EventView {
    /// Sequence number, ever larger.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// What happened, in the event's own word, e.g. `attempt_claimed`.
    pub event: String,
    /// The step, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepPath>,
    /// The attempt, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// How the step stands after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_status: Option<StepStatus>,
    /// How the run stands after it.
    pub run_status: RunStatus,
    /// One phrase of detail, e.g. a failure's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What a submission would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlanView {
    /// The pipeline.
    pub pipeline: Name,
    /// The steps in plan order.
    pub steps: Vec<PlannedStepView>,
    /// What the person should know though nothing is wrong.
    #[serde(default)]
    pub warnings: Vec<Problem>,
}

/// What would happen to one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PlannedStepView {
    /// The step.
    pub path: StepPath,
    /// Its compute target.
    pub target: Name,
    /// What would happen.
    pub decision: PlanDecision,
    /// Why, one phrase each: `code: train.py changed`, `input raw: 2 of 310 files changed`, `never run before`, `waits for prep`.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// The steps before it.
    #[serde(default)]
    pub depends_on: Vec<StepPath>,
}

/// What would happen to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanDecision {
    /// Its result is known and would be taken over.
    Reuse,
    /// It would run.
    Run,
    /// A step before it would run; whether this one runs depends on the bytes that come out.
    Undecided,
}

/// What differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunDiffView {
    /// The first run.
    pub left: RunId,
    /// The second run.
    pub right: RunId,
    /// Parameters whose values differ: name → (left, right), empty where absent.
    #[serde(default)]
    pub parameters: BTreeMap<String, (String, String)>,
    /// Steps that differ or stand in one run only.
    #[serde(default)]
    pub steps: Vec<StepDiffView>,
}

/// What differs in one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepDiffView {
    /// The step.
    pub path: StepPath,
    /// Its status in the first run, if it is there.
    #[serde(default)]
    pub left: Option<StepStatus>,
    /// Its status in the second run, if it is there.
    #[serde(default)]
    pub right: Option<StepStatus>,
    /// Which parts of its key differ, one phrase each.
    #[serde(default)]
    pub key: Vec<String>,
    /// Which outputs differ.
    #[serde(default)]
    pub outputs: Vec<String>,
}
