//! Artifacts over REST.

use crate::artifact::ArtifactRef;
use crate::digest::Digest;
use crate::ids::{RunId, StepPath};
use crate::name::PortName;
use serde::{Deserialize, Serialize};

/// An output of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ArtifactView {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepPath,
    /// The output.
    pub output: PortName,
    /// Its content.
    pub artifact: ArtifactRef,
    /// Whether the step took it over from an earlier run.
    pub reused: bool,
}

/// Which of these contents are not in the store?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MissingRequest {
    /// Digests of files, at most 10,000.
    #[serde(default)]
    pub blobs: Vec<Digest>,
    /// Digests of trees, at most 10,000.
    #[serde(default)]
    pub trees: Vec<Digest>,
}

/// Those that are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MissingResponse {
    /// Files to upload.
    pub blobs: Vec<Digest>,
    /// Trees to upload, after their files.
    pub trees: Vec<Digest>,
}
