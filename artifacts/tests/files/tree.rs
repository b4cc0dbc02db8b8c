//! Folders for tests.

use std::fs;
use std::path::Path;
use tidemill_artifacts::Scan;

/// Writes files and the folders above them.
pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// The paths of a scanned folder's files.
pub(crate) fn paths(scan: &Scan) -> Vec<String> {
    scan.tree
        .as_ref()
        .unwrap()
        .entries
        .iter()
        .map(|entry| entry.path.to_string())
        .collect()
}
