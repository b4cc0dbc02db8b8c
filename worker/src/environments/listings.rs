//! What makes Python list folders in the order of their names: a `sitecustomize` that the processes of steps find first. File systems return names in an
//! order of their own (ext4 by a hash that differs from disk to disk), and scripts take the first file of a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Runs at the start of every Python of a step; gives way to the author's own.
const SITECUSTOMIZE: &str = include_str!("sitecustomize.py");

/// Puts it into a folder of its own below this one; answers the folder, which goes first in `PYTHONPATH`.
pub(crate) fn put(state_dir: &Path) -> io::Result<PathBuf> {
    let folder = state_dir.join("python");
    fs::create_dir_all(&folder)?;
    let file = folder.join("sitecustomize.py");
    if fs::read_to_string(&file).ok().as_deref() != Some(SITECUSTOMIZE) {
        // A step that starts meanwhile finds the old one or the new one.
        let new = folder.join(format!("sitecustomize.py.{}", std::process::id()));
        fs::write(&new, SITECUSTOMIZE)?;
        fs::rename(&new, &file)?;
    }
    Ok(folder)
}

/// `PYTHONPATH` with the folder first.
pub(crate) fn search_path(folder: &str, others: Option<&str>) -> String {
    match others {
        Some(others) if !others.is_empty() => format!("{folder}:{others}"),
        _ => folder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_put_there_once_and_again_when_it_is_another() {
        let state = tempfile::tempdir().unwrap();
        let folder = put(state.path()).unwrap();
        fs::write(folder.join("sitecustomize.py"), "an older one").unwrap();
        put(state.path()).unwrap();
        assert_eq!(
            fs::read_to_string(folder.join("sitecustomize.py")).unwrap(),
            SITECUSTOMIZE
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn the_authors_own_folders_stay() {
        assert_eq!(search_path("/w", None), "/w");
        assert_eq!(search_path("/w", Some("")), "/w");
        assert_eq!(search_path("/w", Some("lib:/x")), "/w:lib:/x");
    }
}
