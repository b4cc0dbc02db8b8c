//! Found files, hashed files and what they make together: a named file or folder. No file is read here.

use super::error::ScanError;
use crate::stamp::Stamp;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef, Tree, TreeEntry};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::{ArtifactPath, NameError};

/// A file or folder whose content has been named.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Its name as an artifact.
    pub reference: ArtifactRef,
    /// Its manifest when it is a folder.
    pub tree: Option<Tree>,
    /// Its files, each content once, in order of their paths.
    pub files: Vec<ScannedFile>,
}

/// A file as it was when it was hashed.
#[derive(Debug, Clone)]
pub struct ScannedFile {
    /// Where it lies, without links in it.
    pub path: PathBuf,
    /// Its content.
    pub digest: Digest,
    /// Its length.
    pub size_bytes: u64,
    pub(crate) stamp: Stamp,
}

/// What stands below a path before anything is read.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The files, in any order.
    pub(super) files: Vec<Found>,
    /// The folders that hold nothing; nothing at all when the path is a file.
    pub(super) empty_folders: Option<Vec<ArtifactPath>>,
}

/// A file that was found but not read yet.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it lies, without links in it.
    pub(super) path: PathBuf,
    /// Its place in the artifact; nothing for a single file.
    pub(super) name: Option<ArtifactPath>,
    /// Its stamp when it was found.
    pub(super) stamp: Stamp,
    /// Whether its owner may execute it.
    pub(super) executable: bool,
}

/// A found file with its content's name.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) found: Found,
    pub(super) digest: Digest,
    /// Whether a later write must show in the stamp, so that the hash can be remembered.
    pub(super) settled: bool,
}

impl Scan {
    /// Brings the files into canonical order and names the whole. Without a list of empty folders it is a single file.
    pub(super) fn new(mut files: Vec<Hashed>, empty_folders: Option<Vec<ArtifactPath>>) -> Self {
        files.sort_unstable_by(|a, b| a.found.name.cmp(&b.found.name));
        let tree = empty_folders.map(|empty| Tree::new(files.iter().filter_map(entry).collect(), empty));
        let reference = match (&tree, files.first()) {
            (None, Some(file)) => ArtifactRef {
                kind: ArtifactKind::Blob,
                digest: file.digest,
                size_bytes: file.found.stamp.size_bytes,
                files: 1,
            },
            (tree, _) => {
                let tree = tree.as_ref().expect("a path is a folder or has one file");
                tree.reference(&tree.canonical_bytes())
            }
        };
        let mut seen = HashSet::with_capacity(files.len());
        files.retain(|file| seen.insert(file.digest));
        let files = files.into_iter().map(ScannedFile::from).collect();
        Self {
            reference,
            tree,
            files,
        }
    }
}

fn entry(file: &Hashed) -> Option<TreeEntry> {
    Some(TreeEntry {
        path: file.found.name.clone()?,
        digest: file.digest,
        size_bytes: file.found.stamp.size_bytes,
        executable: file.found.executable,
    })
}

impl From<Hashed> for ScannedFile {
    fn from(file: Hashed) -> Self {
        Self {
            path: file.found.path,
            digest: file.digest,
            size_bytes: file.found.stamp.size_bytes,
            stamp: file.found.stamp,
        }
    }
}

/// The place of a path below the root, by the grammar of artifacts.
pub(super) fn artifact_path(path: &Path, relative: &Path) -> Result<ArtifactPath, ScanError> {
    let refuse = |source| ScanError::Name {
        path: path.to_owned(),
        source,
    };
    let Some(text) = relative.to_str() else {
        return Err(refuse(NameError {
            what: "path",
            text: relative.to_string_lossy().chars().take(80).collect(),
            rule: "is not UTF-8 text",
        }));
    };
    text.parse().map_err(refuse)
}

/// Keeps the folders that hold neither a file nor another folder.
pub(super) fn leaves(mut folders: Vec<ArtifactPath>, files: &[Found]) -> Vec<ArtifactPath> {
    let mut parents: HashSet<&str> = HashSet::new();
    let names = files
        .iter()
        .filter_map(|file| file.name.as_ref())
        .map(ArtifactPath::as_str);
    let owned: Vec<String> = folders.iter().map(ToString::to_string).collect();
    for name in names.chain(owned.iter().map(String::as_str)) {
        parents.extend(name.rsplit_once('/').map(|(parent, _)| parent));
    }
    folders.retain(|folder| !parents.contains(folder.as_str()));
    folders
}
