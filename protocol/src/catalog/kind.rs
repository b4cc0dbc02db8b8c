//! The kinds of asset. One word for each, in paths, bodies and files.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What an asset is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AssetKind {
    /// Files or a folder that steps read.
    Data,
    /// What training produced.
    Model,
    /// A reusable step implementation.
    Component,
    /// The software around steps.
    Environment,
    /// A published pipeline: frozen, with typed parameters.
    Pipeline,
}

impl AssetKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Data,
        Self::Model,
        Self::Component,
        Self::Environment,
        Self::Pipeline,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Model => "model",
            Self::Component => "component",
            Self::Environment => "environment",
            Self::Pipeline => "pipeline",
        }
    }
}

impl fmt::Display for AssetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no kind of asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an asset is data, a model, a component, an environment or a pipeline")]
pub struct AssetKindError;

impl FromStr for AssetKind {
    type Err = AssetKindError;

    fn from_str(text: &str) -> Result<Self, AssetKindError> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or(AssetKindError)
    }
}
