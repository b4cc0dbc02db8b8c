//! What a version of an asset is, where it came from, and how it stands. Kept in the journal, so readable for ever.

use crate::artifact::ArtifactRef;
use crate::ids::{RunId, StepPath};
use crate::name::PortName;
use crate::plan::Environment;
use crate::spec::DataType;
use serde::{Deserialize, Serialize};

/// What a version is. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssetBody {
    /// Files that steps read.
    Data(FilesBody),
    /// A model's files.
    Model(FilesBody),
    /// A reusable step implementation: a blob with the JSON of a pipeline whose root is the component.
    Component(PipelineBody),
    /// The software around steps.
    #[schema(value_type = Object)]
    Environment(Environment),
    /// A frozen pipeline: a blob with its JSON.
    Pipeline(PipelineBody),
}

/// Files and what they mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilesBody {
    /// What they mean to their reader.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub data_type: DataType,
    /// Where they are.
    pub location: Location,
}

/// Where files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// In the store, under their content's name: they cannot change.
    Content(ArtifactRef),
    /// Behind an address; whoever owns it may change them.
    Uri(String),
}

/// A pipeline or component with what callers have to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PipelineBody {
    /// The blob with the JSON of its `PipelineSpec`.
    pub spec: ArtifactRef,
    /// What may be given to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterDoc>,
}

/// A parameter as a caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ParameterDoc {
    /// Its name.
    pub name: PortName,
    /// Its type: that of a literal, or of data.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether a call may leave it out although it has no default.
    #[serde(default)]
    pub optional: bool,
    /// What it is when a call does not say, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// The only values allowed; empty allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// Where a version came from. Absent parts are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Origin {
    /// The run that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The step of that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepPath>,
    /// The output of that step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<PortName>,
}

/// How a version stands.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It may be used.
    #[default]
    Active,
    /// It may be used; whoever does is told to change.
    Deprecated,
    /// It may not be used any more; what was made with it stays.
    Disabled,
}
