//! Steps that tidemill does itself: what such a step is told, every word of which is part of its key. It runs as a process like any other, so what it takes is
//! brought, what it gives is stored, and what it is told in confidence are the names of secrets.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What tidemill does itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "snake_case")]
pub enum Builtin {
    /// Copies files to a place outside of the store.
    Copy(CopyTo),
    /// Looks whether files are a model, and gives them on as one. Its output is what becomes a version.
    RegisterModel {
        /// `custom_model`, `mlflow_model` or `triton_model`.
        model_type: String,
    },
    /// A kind of a newer version.
    #[serde(other)]
    Unknown,
}

/// Where files are copied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyTo {
    /// The root of the store: `file:///path`, `s3://bucket/prefix` and their like.
    pub url: String,
    /// The path below it: of a folder's copy the folder, of a file's copy the file.
    pub path: String,
    /// Options of the store that are no secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Options that are secrets, each with the variable among the step's secrets that stands for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
}

impl Builtin {
    /// The input of a `copy` step.
    pub const SOURCE: &'static str = "source";
    /// The output of a `copy` step: a JSON file that says what was copied.
    pub const REPORT: &'static str = "report";
    /// The input of a `register_model` step, and its output.
    pub const MODEL: &'static str = "model";

    /// The kind's name in pipeline files.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Copy(_) => "copy",
            Self::RegisterModel { .. } => "register_model",
            Self::Unknown => "unknown",
        }
    }
}
