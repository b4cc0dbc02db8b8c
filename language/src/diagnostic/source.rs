//! The text that problems point into.

use std::sync::Arc;

/// A file that was read, kept for its source windows.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// The path as it is shown.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: Arc<str>,
}

/// Where in a file.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) file: Arc<SourceFile>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}
