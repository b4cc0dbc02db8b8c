//! The age of stored files, by which a sweep tells garbage from what somebody is about to name.

use crate::error::{Result, StoreError};
use crate::stamp::kernel_now_ns;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Contents found again are made young when they are older than this.
const FRESH_SECONDS: i64 = 3600;

/// Makes a content young again, so that a sweep sees that somebody is about to name it.
pub(super) fn freshen(path: &Path, metadata: &Metadata) -> Result<()> {
    if kernel_now_ns() / 1_000_000_000 - metadata.mtime() < FRESH_SECONDS {
        return Ok(());
    }
    match File::open(path).and_then(|file| touch(&file)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::file("freshen", path, error))
        }
        _ => Ok(()),
    }
}

/// Sets a file's times to the present.
pub(super) fn touch(file: &File) -> io::Result<()> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    Ok(rustix::fs::futimens(
        file,
        &Timestamps {
            last_access: now,
            last_modification: now,
        },
    )?)
}
