//! What a look at the files of a datastore found.

use super::Moment;
use serde::{Deserialize, Serialize};

/// Files that were not what they were at the look before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FilesChange {
    /// The moment that they are: when they were seen, and the fingerprint of all that was there then.
    pub moment: Moment,
    /// How many were not there before.
    pub added: u64,
    /// How many were there and are something else.
    pub changed: u64,
    /// How many are not there any more.
    pub removed: u64,
    /// Those that were added or changed, below the watched path, in order; only the first where there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

impl FilesChange {
    /// Most paths that are told of one change.
    pub const PATHS_MAX: usize = 100;
    /// Most bytes of these paths together.
    pub const PATH_BYTES_MAX: usize = 16 * 1024;
}
