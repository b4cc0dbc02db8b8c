//! Files that were sent and are told of by their SHA-256, put together: a file by itself or a folder, under the name that its content has in the store.

use super::error::ApiError;
use std::collections::BTreeMap;
use tidemill_artifacts::ArtifactStore;
use tidemill_protocol::api::{ErrorCode, LoadFile};
use tidemill_protocol::artifact::{ArtifactRef, Tree, TreeEntry};
use tidemill_protocol::name::ArtifactPath;
use tidemill_protocol::sha256::Sha256;

/// Most files that are told of at once.
pub(super) const FILES_MAX: usize = 100_000;

/// What a client tells of a file or folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    /// What it is called in refusals.
    pub(super) name: &'a str,
    pub(super) folder: bool,
    pub(super) files: &'a [LoadFile],
    pub(super) empty_folders: &'a [ArtifactPath],
}

/// Blobs by their second name.
pub(super) type Blobs = BTreeMap<Sha256, ArtifactRef>;

/// Finds the blobs of all these files that are in the store.
pub(super) async fn find_blobs<'a>(
    store: &ArtifactStore,
    files: impl Iterator<Item = &'a LoadFile>,
) -> Result<Blobs, ApiError> {
    let mut names: Vec<Sha256> = files.map(|file| file.sha256).collect();
    names.sort_unstable();
    names.dedup();
    Ok(store.find_aliases(&names).await?)
}

/// Puts a file or folder together.
pub(super) async fn assemble(
    store: &ArtifactStore,
    told: Told<'_>,
    blobs: &Blobs,
) -> Result<ArtifactRef, ApiError> {
    if told.folder {
        return Ok(store.put_tree(&tree(told, blobs)?).await?);
    }
    match told.files {
        [file] if file.path.is_none() => blob(told.name, file, blobs),
        _ => Err(bad(told.name, "is a file, so it has one file without a path")),
    }
}

fn tree(told: Told<'_>, blobs: &Blobs) -> Result<Tree, ApiError> {
    let entries = told.files.iter().map(|file| {
        let path = file.path.clone();
        let path = path.ok_or_else(|| bad(told.name, "is a folder, so each of its files has a path"))?;
        let blob = blob(path.as_str(), file, blobs)?;
        Ok(TreeEntry {
            path,
            digest: blob.digest,
            size_bytes: blob.size_bytes,
            executable: file.executable,
        })
    });
    let entries = entries.collect::<Result<Vec<_>, ApiError>>()?;
    let count = entries.len();
    let tree = Tree::new(entries, told.empty_folders.to_vec());
    if tree.entries.len() == count {
        Ok(tree)
    } else {
        Err(bad(told.name, "names a file twice"))
    }
}

fn blob(path: &str, file: &LoadFile, blobs: &Blobs) -> Result<ArtifactRef, ApiError> {
    let Some(blob) = blobs.get(&file.sha256) else {
        let message = format!("{path} with the SHA-256 {} is not in the store", file.sha256);
        return Err(ApiError::new(ErrorCode::Conflict, message).hint("upload it first"));
    };
    if blob.size_bytes != file.size_bytes {
        return Err(bad(path, "has another length than it is told to have"));
    }
    Ok(*blob)
}

fn bad(path: &str, what: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("{path} {what}"))
}
