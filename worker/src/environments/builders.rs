//! What builders of environments run with, and the programs that they find there. Which of them are used is decided by `build` and `python`.

use crate::attempt::find_program;
use std::collections::BTreeMap;
use std::path::Path;

/// What builds run with.
#[derive(Debug, Clone)]
pub(crate) struct BuildTools {
    /// The environment of the builders' processes: the steps' base.
    pub variables: BTreeMap<String, String>,
}

impl BuildTools {
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let path = self.variables.get("PATH").map_or("", String::as_str);
        find_program(name, path, Path::new("/"))
    }
}
