//! Graphs: the steps of a pipeline or of a pipeline component, and how data and order run between them.

use super::value::{BindingSpec, OutputRef};
use crate::compute::Resources;
use crate::ids::StepPath;
use crate::name::{Name, PortName};
use crate::plan::{CheckpointRule, Distribution, Environment, Registration, RetryPolicy, SecretUse, When};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The steps of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphSpec {
    /// The steps in the author's order; no name twice.
    pub steps: Vec<StepSpec>,
    /// Which step's output is which output of the pipeline; an output that no step fills is not listed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<PortName, OutputRef>,
    /// Where steps run that do not say it themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_target: Option<TargetSpec>,
}

/// A step: a component with its inputs bound and some of its rules set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    /// Its name in the graph, one segment.
    pub name: StepPath,
    /// Place of its component in `PipelineSpec::components`.
    pub component: u32,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Its inputs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<PortName, BindingSpec>,
    /// Under which names its outputs are registered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<PortName, Registration>,
    /// Steps of the same graph that must be terminal before it, without data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<StepPath>,
    /// What it sets in place of its component's or pipeline's rules.
    #[serde(default, skip_serializing_if = "StepOverrides::is_empty")]
    pub overrides: StepOverrides,
}

/// What a step sets itself; whatever is absent comes from its component, then from the pipeline around it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepOverrides {
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetSpec>,
    /// What an attempt occupies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The software around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Variables beside (and before) its component's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment_variables: BTreeMap<String, String>,
    /// Secrets beside (and before) its component's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretUse>,
    /// How several processes find each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// Added to the priority of the pipeline around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Longest time of an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// When a failed attempt is followed by another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Whether results are reused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<bool>,
    /// Whether what an attempt saves is handed to the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointRule>,
    /// On which outcome of the steps before it it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

impl StepOverrides {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Where a step runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetSpec {
    /// On this compute target.
    Name(Name),
    /// On the one that this input of the surrounding pipeline names.
    Input(PortName),
}
