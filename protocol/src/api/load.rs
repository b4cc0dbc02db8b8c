//! Loading a pipeline file whose files are at the client: the client tells of the files, the coordinator reads the pipeline and says which further ones it
//! needs, until it has all of them.

use super::Problem;
use crate::name::ArtifactPath;
use crate::sha256::Sha256;
use crate::spec::PipelineSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Reads a pipeline file. Paths are the client's own, as it likes to see them in messages; relative ones belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadRequest {
    /// The path of the pipeline file; its text is among `texts`.
    pub file: String,
    /// Whether it is a component's file: what comes out is then to be kept under a name, and never to be run by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub component: bool,
    /// Pipeline, component, environment and requirements files.
    #[serde(default)]
    pub texts: Vec<LoadText>,
    /// Tables of `tidemill.toml` files that say what registered names mean, the strongest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workspace: Vec<LoadText>,
    /// Code and data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<LoadSource>,
    /// Paths of needs at which the client has nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// Values for the pipeline's parameters. For an input that takes files, a text that is no address is the path of a file or folder, relative to the
    /// pipeline file's folder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadText {
    /// Its path.
    pub path: String,
    /// Its text, at most 1 MiB.
    pub text: String,
}

/// A file or folder of code or data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSource {
    /// Its path.
    pub path: String,
    /// What it is for.
    pub role: LoadRole,
    /// Whether it is a folder.
    pub folder: bool,
    /// Its files, which are in the store by then: one without a path for a file. Absent until the pipeline is known to be sound, so that nothing is uploaded for one
    /// that is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<LoadFile>>,
    /// Folders in it that hold nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub empty_folders: Vec<ArtifactPath>,
}

/// One file of code or data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadFile {
    /// Where it stands in the folder; absent for a file by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub path: Option<ArtifactPath>,
    /// Its bytes.
    pub sha256: Sha256,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// Whether its owner may execute it.
    #[serde(default)]
    pub executable: bool,
}

/// What a file or folder is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LoadRole {
    /// Text that is read.
    Text,
    /// Code: ignore rules apply.
    Code,
    /// Data: taken whole.
    Data,
}

/// Something that the client is to tell of before the pipeline can be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoadNeed {
    /// Its path.
    pub path: String,
    /// What it is for.
    pub role: LoadRole,
    /// Whether the files of the source are needed, too, and not only its shape.
    #[serde(default)]
    pub files: bool,
}

/// What came of it: needs, or the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LoadResponse {
    /// What is to be told of; empty when the pipeline was read.
    #[serde(default)]
    pub needs: Vec<LoadNeed>,
    /// The pipeline, self-contained: what a submission takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub spec: Option<PipelineSpec>,
    /// The parameters that are left for the submission: all but those that named local data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What is worth knowing though nothing is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Problem>,
}
