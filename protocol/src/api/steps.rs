//! Steps of a run, their attempts, and why they stand as they do.

use crate::artifact::ArtifactRef;
use crate::catalog::{AssetKind, Version};
use crate::failure::Failure;
use crate::ids::{StepPath, WorkerId};
use crate::name::{Name, PortName};
use crate::status::{AttemptStatus, StepStatus};
use crate::time::Timestamp;
use crate::wire::Phase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StepView {
    /// Its name in the run.
    pub path: StepPath,
    /// What people call it; the path when the author gave no other name.
    pub display_name: String,
    /// The kind: `command`, `sweep` …
    pub kind: String,
    /// Its compute target.
    pub target: Name,
    /// How it stands.
    pub status: StepStatus,
    /// Steps before it, by data or order.
    #[serde(default)]
    pub depends_on: Vec<StepPath>,
    /// Its key, once its inputs are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// For a reused step, the run and step whose result it took over, as `RUN/STEP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused_from: Option<String>,
    /// When its first attempt was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its attempts, oldest first.
    #[serde(default)]
    pub attempts: Vec<AttemptView>,
    /// Its outputs, once it ended well.
    #[serde(default)]
    pub outputs: BTreeMap<PortName, ArtifactRef>,
    /// What its last attempt saved for the next one, until it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<ArtifactRef>,
    /// What it was given, as far as it is known.
    #[serde(default)]
    pub inputs: Vec<InputView>,
    /// The folder in which its process starts, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ArtifactRef>,
    /// What became of the outputs that the pipeline gives names in the catalog, once it ended well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<NamedOutputView>,
}

/// What became of an output that the pipeline gives a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NamedOutputView {
    /// The output.
    pub output: PortName,
    /// What it was to become.
    pub kind: AssetKind,
    /// Under which name.
    pub name: Name,
    /// The version that it is; absent when it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Why it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl StepView {
    /// The attempt that counts: the last that was not withdrawn.
    pub fn last_attempt(&self) -> Option<&AttemptView> {
        let attempts = self.attempts.iter().rev();
        attempts
            .into_iter()
            .find(|attempt| attempt.status != AttemptStatus::Withdrawn)
    }
}

/// What a step was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InputView {
    /// The input.
    pub name: PortName,
    /// A literal's text, a location, or `STEP.OUTPUT`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The content, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactRef>,
}

/// One try at a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AttemptView {
    /// Which try, counted from 1.
    pub attempt: u32,
    /// How it stands.
    pub status: AttemptStatus,
    /// How far it has come, while it runs and the coordinator has heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Who makes or made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// When its task was published.
    pub dispatched_at: Timestamp,
    /// When a worker claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_at: Option<Timestamp>,
    /// When it became terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it ended badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageView>,
}

/// What an attempt used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct UsageView {
    /// How long the process ran.
    pub process_ms: u64,
    /// How long environment and inputs took.
    pub preparing_ms: u64,
    /// How long collecting and storing outputs took.
    pub storing_ms: u64,
    /// Largest resident memory of the process, if known.
    pub memory_peak_bytes: Option<u64>,
    /// The whole standard output, if there was any.
    pub stdout: Option<ArtifactRef>,
    /// The whole standard error, if there was any.
    pub stderr: Option<ArtifactRef>,
    /// Where input modes or environments could not be honoured to the letter, what was done instead; what was fetched from an address.
    pub notes: Vec<String>,
}

/// Why a step stands as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ExplanationView {
    /// The step.
    pub path: StepPath,
    /// How it stands.
    pub status: StepStatus,
    /// One sentence each, the most important first.
    pub reasons: Vec<String>,
    /// What to type or do next.
    #[serde(default)]
    pub hints: Vec<String>,
    /// The step's key, part by part, each beside that of the newest earlier run of the same step.
    #[serde(default)]
    pub key: Vec<KeyPartView>,
}

/// One part of a step's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KeyPartView {
    /// Which part, e.g. `code` or `input raw`.
    pub part: String,
    /// Its digest now, if known.
    #[serde(default)]
    pub now: Option<String>,
    /// Its digest in the newest earlier run.
    #[serde(default)]
    pub before: Option<String>,
    /// What changed in it, if that can be told, e.g. `train.py`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}
