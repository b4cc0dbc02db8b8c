//! Where a Python is from: the folder that holds its standard library, which whoever is shut in needs beside the program.

use std::fs;
use std::path::{Path, PathBuf};

/// The Python installation that a program is of, which holds the standard library; none where that would open `closed` with it.
pub(super) fn installation(program: &Path, closed: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let prefix = program.parent()?.parent()?;
    if closed.canonicalize().ok()?.starts_with(prefix) {
        return None;
    }
    // Where there is no library beside it, the program stands alone, and the folder above it is anybody's.
    let mut library = fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let has_one = library.any(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
    has_one.then(|| prefix.to_owned())
}
