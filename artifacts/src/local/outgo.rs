//! How a blob's bytes leave the local store: in one pass, as a private copy that is verified on its way, sharing extents where the file
//! system can. The store is a disk of this machine already, so no cache stands in between. A stored file itself is never linked into
//! a step's folder: a step that writes to it would damage the only copy.

use super::copy::{Buffer, Named, copy_hashing};
use super::folder::{CLONE_BYTES_MIN, COPY_BYTES, LocalFolder};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::scan::{hash_open_file, open_regular_sized};
use crate::verify::check;
use object_store::path::Path as ObjectPath;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tidemill_protocol::digest::Digest;

/// Creates a new file of this mode (less the process's mask) for writing and reading.
pub(crate) fn create_file(path: &Path, mode: u32) -> Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| StoreError::file("create", path, error))
}

/// A stored file, open.
struct Stored {
    key: ObjectPath,
    path: PathBuf,
    file: File,
    size_bytes: u64,
}

impl Stored {
    fn named(&self) -> Named<'_> {
        Named {
            file: &self.file,
            path: &self.path,
        }
    }
}

impl LocalFolder {
    /// Writes a blob's verified bytes to a new file, which is removed on every error; a file that was there before stays.
    pub(crate) fn copy_out(&self, digest: &Digest, to: &Path, mode: u32, buffer: &mut Buffer) -> Result<()> {
        let stored = self.open_blob(digest)?;
        let may_clone = stored.size_bytes >= CLONE_BYTES_MIN && self.reflinks.load(Ordering::Relaxed);
        if !may_clone && stored.size_bytes < COPY_BYTES as u64 {
            return copy_small(&stored, digest, to, mode, buffer);
        }
        let target = create_file(to, mode)?;
        let target = Named {
            file: &target,
            path: to,
        };
        let found = self.transfer(&stored, target, may_clone, buffer);
        remove_on_error(to, found.and_then(|found| check(&stored.key, digest, &found)))
    }

    fn open_blob(&self, digest: &Digest) -> Result<Stored> {
        let key = layout::blob(digest);
        let path = self.path(&key);
        match open_regular_sized(&path) {
            Ok((file, size_bytes)) => Ok(Stored {
                key,
                path,
                file,
                size_bytes,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NotFound {
                object: key.to_string(),
            }),
            Err(error) => Err(StoreError::file("open", path, error)),
        }
    }

    /// Moves all bytes and returns the digest of those that arrived.
    fn transfer(
        &self,
        stored: &Stored,
        target: Named<'_>,
        may_clone: bool,
        buffer: &mut Buffer,
    ) -> Result<Digest> {
        if may_clone {
            if rustix::fs::ioctl_ficlone(target.file, &stored.file).is_ok() {
                let (digest, _) = hash_open_file(target.file)
                    .map_err(|error| StoreError::file("read", target.path, error))?;
                return Ok(digest);
            }
            self.reflinks.store(false, Ordering::Relaxed);
        }
        let (digest, _) = copy_hashing(stored.named(), target, stored.size_bytes, buffer)?;
        Ok(digest)
    }
}

/// Verifies a file that fits into the buffer before anything of it is written.
fn copy_small(stored: &Stored, digest: &Digest, to: &Path, mode: u32, buffer: &mut Buffer) -> Result<()> {
    let buffer = buffer.for_file(stored.size_bytes);
    let read = stored.named().read_into(buffer)?;
    let bytes = buffer.get(..read).unwrap_or_default();
    check(&stored.key, digest, &Digest::of(bytes))?;
    let file = create_file(to, mode)?;
    remove_on_error(
        to,
        Named {
            file: &file,
            path: to,
        }
        .write(bytes),
    )
}

fn remove_on_error(created: &Path, result: Result<()>) -> Result<()> {
    if result.is_err() {
        // The error that is returned says more than a failed removal could.
        drop(fs::remove_file(created));
    }
    result
}
