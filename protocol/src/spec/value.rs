//! Inputs and outputs of components, and what is bound to them.

use crate::ids::StepPath;
use crate::literal::LiteralType;
use crate::name::PortName;
use crate::plan::InputMode;
use serde::{Deserialize, Serialize};

/// What an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// A literal of this type.
    Literal(LiteralType),
    /// Files.
    Data(DataType),
}

/// What files mean to their reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataType {
    /// One file.
    UriFile,
    /// A folder.
    UriFolder,
    /// A folder with a table's description.
    Mltable,
    /// A folder with a model in MLflow's layout.
    MlflowModel,
    /// A model of the author's own layout: a file or a folder.
    CustomModel,
    /// A folder with a model in Triton's layout.
    TritonModel,
}

impl DataType {
    /// The type that a name in pipeline files means; `path` is an old name for a folder.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "uri_file" => Self::UriFile,
            "uri_folder" | "path" => Self::UriFolder,
            "mltable" => Self::Mltable,
            "mlflow_model" => Self::MlflowModel,
            "custom_model" => Self::CustomModel,
            "triton_model" => Self::TritonModel,
            _ => return None,
        })
    }

    /// Whether it is a model of some layout.
    pub const fn is_model(self) -> bool {
        matches!(self, Self::MlflowModel | Self::CustomModel | Self::TritonModel)
    }

    /// The name that pipeline files use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UriFile => "uri_file",
            Self::UriFolder => "uri_folder",
            Self::Mltable => "mltable",
            Self::MlflowModel => "mlflow_model",
            Self::CustomModel => "custom_model",
            Self::TritonModel => "triton_model",
        }
    }
}

/// An input of a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// What it takes.
    pub input_type: InputType,
    /// Whether it may stay unbound.
    #[serde(default)]
    pub optional: bool,
    /// What it has when nothing is bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<ValueSpec>,
    /// Smallest number allowed, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Largest number allowed, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// The only values allowed; empty allows all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// How data is handed over when the step does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<InputMode>,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl InputSpec {
    /// A required input of which nothing is said but its type.
    pub const fn of(input_type: InputType) -> Self {
        Self {
            input_type,
            optional: false,
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
            mode: None,
            description: String::new(),
        }
    }
}

/// An output of a component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSpec {
    /// What it holds.
    pub data_type: DataType,
    /// Name of the file in the output's folder, for outputs that are one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Whether the step may end well without it.
    #[serde(default)]
    pub optional: bool,
    /// Free text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A value that needs no step to run first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueSpec {
    /// A literal as written.
    Literal(String),
    /// A file or folder that the pipeline brings along: its place in `PipelineSpec::contents`.
    Content(u32),
    /// A location that is passed on as it is.
    Uri(String),
}

/// An output of a step of the same graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OutputRef {
    /// The step's name, one segment.
    pub step: StepPath,
    /// The output.
    pub output: PortName,
}

/// What is bound to an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BindingSpec {
    /// Where the value comes from.
    pub source: BindingSource,
    /// The type that the author gave at this place, which wins over the component's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_type: Option<DataType>,
    /// How data is handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<InputMode>,
}

/// Where a bound value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BindingSource {
    /// It stands here.
    Value(ValueSpec),
    /// An input of the surrounding pipeline.
    Parent(PortName),
    /// An output of another step of the same graph.
    Step(OutputRef),
    /// Text put together from literals.
    Text(Vec<TextPart>),
}

/// A piece of a text binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextPart {
    /// Text of the author's.
    Text(String),
    /// The literal value of an input of the surrounding pipeline.
    Parent(PortName),
}
