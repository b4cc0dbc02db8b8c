//! A pipeline as its author wrote it, with every file read, every local folder replaced by its content's name and every reference to a
//! component resolved: self-contained, so that it can be sent to a coordinator and planned there. Made by the language's loader.
//!
//! Deliberately plain: externally tagged enums, no flattened structs, so that JSON and MessagePack both carry it; every list and map that
//! may be empty is left out when it is. A coordinator never trusts it: the language's planner checks every reference again.

mod component;
mod graph;
mod value;

pub use component::{CommandSpec, ComponentBody, ComponentSpec, OtherSpec};
pub use graph::{GraphSpec, StepOverrides, StepSpec, TargetSpec};
pub use value::{
    BindingSource, BindingSpec, DataType, InputSpec, InputType, OutputRef, OutputSpec, TextPart, ValueSpec,
};

use crate::artifact::ArtifactRef;
use crate::catalog::AssetUse;
use crate::datastore::Datastore;
use crate::name::{Name, PortName};
use crate::plan::OnStepFailure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The format that this version of tidemill writes.
pub const SPEC_FORMAT: u32 = 1;
/// Deepest nesting of pipelines in pipelines.
pub const NESTING_MAX: usize = 32;

/// A pipeline, self-contained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PipelineSpec {
    /// Format of this record: [`SPEC_FORMAT`].
    pub format: u32,
    /// The pipeline's name.
    pub name: Name,
    /// What people call it.
    pub display_name: String,
    /// The experiment under which its runs are filed.
    pub experiment: Name,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The author's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What a failed step means for the others.
    #[serde(default)]
    pub on_step_failure: OnStepFailure,
    /// Whether the author asked for every step to run, whatever is known.
    #[serde(default)]
    pub force_rerun: bool,
    /// Place in [`Self::components`] of the pipeline itself, whose body is a graph.
    pub root: u32,
    /// Values that the file itself gives to the root's inputs, in place of their declared defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<PortName, BindingSpec>,
    /// Every component that some step uses, each once. Only ever refers to smaller places of this list, so it holds no circle.
    pub components: Vec<Arc<ComponentSpec>>,
    /// The files and folders that the pipeline brings along: code and data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<ArtifactRef>,
    /// How compute names map to compute targets, for names that come from parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub computes: BTreeMap<String, Name>,
    /// What loading found worth knowing, shown with the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The versions that loading took from a catalog: what they were is in the other fields already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetUse>,
    /// The datastores in which addresses of the pipeline lie, as the coordinator defined them when it was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub datastores: BTreeMap<Name, Datastore>,
}
