//! How one file's bytes come into the local store's `tmp/`: copied through memory while they are hashed, cloned where the file system
//! can, or moved when the caller gives the file up. Whatever the way, the digest is that of the bytes that are now ours.

use super::age::touch;
use super::copy::{Buffer, Named, copy_hashing};
use super::folder::{CLONE_BYTES_MIN, LocalFolder};
use crate::error::{Result, StoreError};
use crate::scan::ScannedFile;
use crate::stamp::Stamp;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tidemill_protocol::digest::Digest;
use uuid::Uuid;

/// Mode of stored files: nobody has a reason to write to them again.
const FILE_MODE: u32 = 0o444;

/// A file under `tmp/` that vanishes unless it gets its name.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    /// The name under which the caller knew it, if it is the caller's own file.
    given_up: Option<PathBuf>,
    named: bool,
}

impl Staged {
    fn new(tmp: &Path) -> Self {
        Self {
            path: tmp.join(Uuid::now_v7().simple().to_string()),
            given_up: None,
            named: false,
        }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file has moved to its name; gives the caller's name for it, to be removed once ours is durable.
    pub(super) fn named(mut self) -> Option<PathBuf> {
        self.named = true;
        self.given_up.take()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.named {
            // What stays behind is removed by the next sweep.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Bytes that are ours now.
#[derive(Debug)]
pub(super) struct Taken {
    /// Where.
    pub(super) staged: Staged,
    /// Open for flushing.
    pub(super) file: File,
    /// Their name.
    pub(super) digest: Digest,
    /// Their number.
    pub(super) size_bytes: u64,
}

/// Copies or clones a file whose digest is not known yet.
pub(super) fn copy(folder: &LocalFolder, path: &Path, buffer: &mut Buffer) -> Result<Taken> {
    let (source, size) =
        crate::scan::open_regular_sized(path).map_err(|error| StoreError::file("open", path, error))?;
    if size >= CLONE_BYTES_MIN && folder.reflinks.load(Ordering::Relaxed) {
        if let Some(taken) = clone(folder, &source)? {
            return Ok(taken);
        }
        folder.reflinks.store(false, Ordering::Relaxed);
    }
    let source = Named { file: &source, path };
    copy_through_memory(folder, source, size, buffer)
}

/// Takes a scanned file and proves that its bytes are still those that were scanned.
pub(super) fn take(
    folder: &LocalFolder,
    scanned: &ScannedFile,
    may_move: bool,
    buffer: &mut Buffer,
) -> Result<Taken> {
    if may_move && let Some(taken) = move_in(folder, scanned)? {
        return Ok(taken);
    }
    let taken = copy(folder, &scanned.path, buffer)?;
    if taken.digest != scanned.digest {
        return Err(StoreError::Changed {
            path: scanned.path.clone(),
        });
    }
    Ok(taken)
}

fn copy_through_memory(
    folder: &LocalFolder,
    source: Named<'_>,
    size_bytes: u64,
    buffer: &mut Buffer,
) -> Result<Taken> {
    let staged = Staged::new(&folder.tmp());
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(staged.path())
        .map_err(|error| StoreError::file("write", staged.path(), error))?;
    let target = Named {
        file: &file,
        path: staged.path(),
    };
    let (digest, size_bytes) = copy_hashing(source, target, size_bytes, buffer)?;
    Ok(Taken {
        staged,
        file,
        digest,
        size_bytes,
    })
}

/// Shares the extents of the source; the clone is private, so hashing it afterwards is hashing what is stored.
fn clone(folder: &LocalFolder, source: &File) -> Result<Option<Taken>> {
    let staged = Staged::new(&folder.tmp());
    let failed = |action| move |error| StoreError::file(action, folder.tmp(), error);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(staged.path())
        .map_err(failed("create a file in"))?;
    if rustix::fs::ioctl_ficlone(&file, source).is_err() {
        return Ok(None);
    }
    let (digest, size_bytes) = crate::scan::hash_open_file(&file).map_err(failed("read a clone in"))?;
    Ok(Some(Taken {
        staged,
        file,
        digest,
        size_bytes,
    }))
}

/// Takes over a file that is ours alone: no second name, our own user, untouched since it was hashed, same file system. Until the store's
/// name for it is durable it keeps the old one too, so that neither an error nor a crash loses a step's output.
fn move_in(folder: &LocalFolder, scanned: &ScannedFile) -> Result<Option<Taken>> {
    let path = &scanned.path;
    let Ok(before) = fs::symlink_metadata(path) else {
        return Ok(None);
    };
    let ours = before.is_file()
        && before.nlink() == 1
        && before.uid() == rustix::process::geteuid().as_raw()
        && Stamp::of(&before) == scanned.stamp;
    if !ours {
        return Ok(None);
    }
    let mut staged = Staged::new(&folder.tmp());
    if fs::hard_link(path, staged.path()).is_err() {
        return Ok(None);
    }
    staged.given_up = Some(path.clone());
    let failed = |error| StoreError::file("take", path, error);
    let file = crate::scan::open_regular(staged.path()).map_err(failed)?;
    let after = file.metadata().map_err(failed)?;
    if after.nlink() != 2 || !Stamp::of(&after).same_content(&scanned.stamp) {
        return Err(StoreError::Changed { path: path.clone() });
    }
    file.set_permissions(fs::Permissions::from_mode(FILE_MODE))
        .map_err(failed)?;
    // Its own time may lie years back (an archive unpacked with times), and a sweep goes by age.
    touch(&file).map_err(failed)?;
    Ok(Some(Taken {
        staged,
        file,
        digest: scanned.digest,
        size_bytes: scanned.stamp.size_bytes,
    }))
}
