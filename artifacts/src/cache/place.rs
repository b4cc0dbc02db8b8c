//! Puts a cached file where a step will look for it: a clone, else a hard link (read-only files), else a copy.

use crate::error::{Result, StoreError};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Read-only file.
pub(super) const READ_ONLY: u32 = 0o444;
/// The bits that make a file executable.
pub(super) const EXECUTABLE: u32 = 0o111;
/// Private writable file.
pub(super) const WRITABLE: u32 = 0o644;

/// How a file came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// Shares extents; private all the same.
    Cloned,
    /// Shares the file.
    Linked,
    /// Has its own bytes.
    Copied,
}

/// Whether the cache's file system can clone, as far as is known.
#[derive(Debug)]
pub(super) struct Cloning(AtomicBool);

impl Cloning {
    /// Nothing is known yet, so it is worth a try.
    pub(super) const fn untried() -> Self {
        Self(AtomicBool::new(true))
    }
}

/// Places a cached file of mode [`READ_ONLY`] as a file of this mode; as the cache's own file only where that may be shared.
pub(super) fn place(cached: &Path, to: &Path, mode: u32, share: bool, cloning: &Cloning) -> Result<Placed> {
    if cloning.0.load(Ordering::Relaxed) {
        if clone(cached, to, mode)? {
            return Ok(Placed::Cloned);
        }
        cloning.0.store(false, Ordering::Relaxed);
    }
    if share && fs::hard_link(cached, to).is_ok() {
        return Ok(Placed::Linked);
    }
    copy(cached, to, mode).map(|()| Placed::Copied)
}

fn clone(cached: &Path, to: &Path, mode: u32) -> Result<bool> {
    let source = File::open(cached).map_err(|error| StoreError::file("open", cached, error))?;
    let target = crate::local::create_file(to, mode)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(true);
    }
    fs::remove_file(to).map_err(|error| StoreError::file("remove", to, error))?;
    Ok(false)
}

fn copy(cached: &Path, to: &Path, mode: u32) -> Result<()> {
    let mut source = File::open(cached).map_err(|error| StoreError::file("open", cached, error))?;
    let mut target = crate::local::create_file(to, mode)?;
    io::copy(&mut source, &mut target).map_err(|error| StoreError::file("write", to, error))?;
    Ok(())
}
