//! A version that a pipeline took from the catalog when it was loaded: what lineage follows. Kept with the plan, so readable for ever.

use super::kind::AssetKind;
use super::version::Version;
use crate::artifact::ArtifactRef;
use crate::name::Name;
use serde::{Deserialize, Serialize};

/// A version that a pipeline uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AssetUse {
    /// What the asset is.
    pub kind: AssetKind,
    /// Its name.
    pub name: Name,
    /// The version that its reference meant at that moment.
    pub version: Version,
    /// The files of data or of a model, where the store has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ArtifactRef>,
    /// Their address, where it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}
