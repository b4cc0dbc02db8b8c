//! The message that asks a worker to make an attempt.

use super::tracking::TrackingGrant;
use crate::artifact::ArtifactRef;
use crate::ids::{AttemptId, FencingToken, StepPath};
use crate::key::{InputValue, StepKey};
use crate::name::{Name, PortName};
use crate::plan::StepTemplate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Run this attempt. Self-contained: a worker asks nobody before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTask {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its fencing token.
    pub token: FencingToken,
    /// What the attempt computes.
    pub key: StepKey,
    /// The step's name, for logs and for the process's environment.
    pub path: StepPath,
    /// The pipeline's name.
    pub pipeline: Name,
    /// The experiment's name.
    pub experiment: Name,
    /// What is executed and under which rules.
    pub template: Arc<StepTemplate>,
    /// Every bound input.
    #[serde(default)]
    pub inputs: BTreeMap<PortName, InputValue>,
    /// What the last attempt at the same work saved: a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<ArtifactRef>,
    /// W3C trace context of the submission, if it had one.
    #[serde(default)]
    pub trace_parent: Option<String>,
    /// How its process logs to the coordinator; put in when the task is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<TrackingGrant>,
}
