//! One pass over an open file: its bytes read, hashed and written to another open file, so that the digest is that of what was
//! written. Whether the digest is the right one is for the callers to say.
//!
//! One thread does all three: with hashing in a second one beside the writing, copies on two busy cores were no faster, short ones slower.

use super::folder::COPY_BYTES;
use crate::error::{Result, StoreError};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use tidemill_protocol::digest::Digest;

/// A buffer that one thread uses for all its copies.
#[derive(Debug)]
pub(crate) struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty one; it grows as it is used.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// As much of it as a file of this length needs to be read whole and known to end; at most [`COPY_BYTES`].
    pub(super) fn for_file(&mut self, size_bytes: u64) -> &mut [u8] {
        let length = usize::try_from(size_bytes)
            .unwrap_or(COPY_BYTES)
            .saturating_add(1)
            .min(COPY_BYTES);
        if self.0.len() < length {
            self.0.resize(length, 0);
        }
        let (part, _) = self.0.split_at_mut(length);
        part
    }
}

/// An open file and the name that errors call it by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
}

impl Named<'_> {
    /// Fills the buffer as far as the file goes; gives the number of bytes, less than asked for only at the file's end.
    pub(super) fn read_into(self, buffer: &mut [u8]) -> Result<usize> {
        let mut file = self.file;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::file("read", self.path, error)),
            }
        }
        Ok(filled)
    }

    /// Writes all of the bytes.
    pub(super) fn write(self, bytes: &[u8]) -> Result<()> {
        let mut file = self.file;
        file.write_all(bytes)
            .map_err(|error| StoreError::file("write", self.path, error))
    }
}

/// Writes what is left of the source, about `size_bytes`, to the target; gives the digest and number of the bytes written.
pub(super) fn copy_hashing(
    source: Named<'_>,
    target: Named<'_>,
    size_bytes: u64,
    buffer: &mut Buffer,
) -> Result<(Digest, u64)> {
    let mut hasher = blake3::Hasher::new();
    let (buffer, mut copied) = (buffer.for_file(size_bytes), 0);
    loop {
        let read = source.read_into(buffer)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        hasher.update(bytes);
        target.write(bytes)?;
        copied += read as u64;
        if read < buffer.len() {
            return Ok((hasher.finalize().into(), copied));
        }
    }
}
