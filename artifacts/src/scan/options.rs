//! How a user's folder is read: what counts, what is remembered, how much is too much.

use std::path::PathBuf;

/// Most files of one artifact.
pub const FILES_MAX: usize = 1_000_000;
/// Files of a folder under which ignore rules are looked for, in order of increasing weight.
pub const IGNORE_FILES: [&str; 3] = [".gitignore", ".amlignore", ".tidemillignore"];

/// How [`super::scan`] reads a file or folder.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// Whether the folder's ignore files count ([`IGNORE_FILES`]; also `.git` itself is left out). Meant for code.
    pub ignore_rules: bool,
    /// A folder of ours in which hashes are remembered between scans; nothing is remembered without one.
    pub hash_cache: Option<PathBuf>,
    /// Most files; at most [`FILES_MAX`].
    pub files_max: usize,
    /// Most bytes of all files together.
    pub bytes_max: u64,
}

impl ScanOptions {
    /// For code snapshots: ignore files count.
    pub fn code() -> Self {
        Self {
            ignore_rules: true,
            ..Self::data()
        }
    }

    /// For data: everything counts.
    pub const fn data() -> Self {
        Self {
            ignore_rules: false,
            hash_cache: None,
            files_max: FILES_MAX,
            bytes_max: u64::MAX,
        }
    }

    /// The same with hashes remembered in this folder.
    #[must_use]
    pub fn with_hash_cache(self, folder: impl Into<PathBuf>) -> Self {
        Self {
            hash_cache: Some(folder.into()),
            ..self
        }
    }
}
