//! How far a version of a model has come on its way into use: the stages of MLflow's registry. Whether a version may be used at all is its `Stage`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A stage of the registry.
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
pub enum ModelStage {
    /// Nobody has said anything.
    #[default]
    None,
    /// It is being tried.
    Staging,
    /// It is in use.
    Production,
    /// It was replaced.
    Archived,
}

/// The text is no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no stage: none, staging, production and archived are")]
pub struct ModelStageError(String);

impl ModelStage {
    /// All of them, in the order in which a version passes them.
    pub const ALL: [Self; 4] = [Self::None, Self::Staging, Self::Production, Self::Archived];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Archived => "archived",
        }
    }

    /// Whether nothing was said.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether versions in this stage are replaced by another that comes into it.
    pub const fn is_in_use(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

impl fmt::Display for ModelStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ModelStage {
    type Err = ModelStageError;

    /// In any case of letters: MLflow's clients write `Production`.
    fn from_str(text: &str) -> Result<Self, ModelStageError> {
        let mut all = Self::ALL.into_iter();
        all.find(|stage| stage.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| ModelStageError(text.to_owned()))
    }
}
