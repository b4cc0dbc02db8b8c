//! The folder of a local store: where its files are and how its folders are made.

use super::age::freshen;
use crate::error::{Result, StoreError};
use crate::layout;
use object_store::path::Path as ObjectPath;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Mode of the store's folders: what steps of other users must not reach.
const FOLDER_MODE: u32 = 0o700;

/// Bytes copied at a time.
pub(super) const COPY_BYTES: usize = 1 << 20;
/// Files from this length on are cloned when the file system can: below it the copy costs no more.
pub(super) const CLONE_BYTES_MIN: u64 = 128 << 10;

/// The folder of a local store.
#[derive(Debug)]
pub(crate) struct LocalFolder {
    pub(super) root: PathBuf,
    /// Whether cloning a file's extents has not failed yet.
    pub(super) reflinks: AtomicBool,
}

impl LocalFolder {
    /// Takes a folder that exists, by its canonical path.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            reflinks: AtomicBool::new(true),
        }
    }

    /// The file that holds an object.
    pub(crate) fn path(&self, key: &ObjectPath) -> PathBuf {
        self.root.join(key.as_ref())
    }

    /// The length of an object, or nothing when it is absent. Who asks is about to name it, so it counts as young again.
    pub(crate) fn size(&self, key: &ObjectPath) -> Result<Option<u64>> {
        let path = self.path(key);
        match fs::symlink_metadata(&path) {
            Ok(metadata) => {
                freshen(&path, &metadata)?;
                Ok(Some(metadata.len()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("look at", path, error)),
        }
    }

    /// Where files wait for their names.
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join(layout::TMP)
    }
}

/// Creates a folder and its parents; those that did not exist are closed to other users.
pub(crate) fn create_private_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER_MODE)
        .create(folder)
        .map_err(|error| StoreError::file("create", folder, error))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(|error| StoreError::file("flush", folder, error))
}
