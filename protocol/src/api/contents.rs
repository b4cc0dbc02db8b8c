//! Contents announced by their SHA-256, for clients that have no BLAKE3.

use super::LoadFile;
use crate::name::ArtifactPath;
use crate::sha256::Sha256;
use serde::{Deserialize, Serialize};

/// Which of these files are not in the store?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContentsRequest {
    /// SHA-256 hashes of files, at most 10,000.
    pub sha256: Vec<Sha256>,
}

/// Those that are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ContentsResponse {
    /// Files to upload, in the order of the question.
    pub missing: Vec<Sha256>,
}

/// Puts files together that are in the store: one file by itself, or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssembleRequest {
    /// Whether it is a folder.
    pub folder: bool,
    /// Its files, at most 100,000: one without a path for a file.
    pub files: Vec<LoadFile>,
    /// Folders in it that hold nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub empty_folders: Vec<ArtifactPath>,
}
