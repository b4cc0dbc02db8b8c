//! Components: reusable step implementations with a typed interface. A step that its author wrote inline has an anonymous one.

use super::graph::GraphSpec;
use super::value::{InputSpec, OutputSpec};
use crate::compute::Resources;
use crate::name::PortName;
use crate::plan::{Distribution, Environment, SecretUse};
use crate::time::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentSpec {
    /// Its name, if it has one; for display only, two components may bear the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version as the author wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// What it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<PortName, InputSpec>,
    /// What it gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<PortName, OutputSpec>,
    /// Whether equal inputs give equal outputs, so that results may be reused.
    pub deterministic: bool,
    /// What it does.
    pub body: ComponentBody,
}

/// What a component does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComponentBody {
    /// Runs a command line.
    Command(CommandSpec),
    /// A kind whose executor is not built in.
    Other(OtherSpec),
    /// Holds steps of its own.
    Graph(GraphSpec),
}

/// A command line and what stands around it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// The command as written, with its expressions.
    pub command: String,
    /// Place in `PipelineSpec::contents` of the code folder; none means an empty folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The software around it.
    #[serde(default)]
    pub environment: Environment,
    /// Variables for the process.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment_variables: BTreeMap<String, String>,
    /// Secrets, by the environment variable through which a process finds them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretUse>,
    /// What an attempt occupies.
    #[serde(default)]
    pub resources: Resources,
    /// How several processes find each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// Longest time of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

/// A step kind whose executor is not built in: kept whole, so that it plans and has a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherSpec {
    /// The kind's name in pipeline files: `sweep`, `parallel`, `spark` …
    pub kind: String,
    /// Its settings as canonical JSON text (keys sorted), expressions as written.
    pub settings: String,
    /// Place in `PipelineSpec::contents` of the code folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    /// The software around it.
    #[serde(default)]
    pub environment: Environment,
    /// Variables for its processes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment_variables: BTreeMap<String, String>,
    /// Secrets, by the environment variable through which a process finds them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretUse>,
    /// What an attempt occupies.
    #[serde(default)]
    pub resources: Resources,
    /// Longest time of an attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}
