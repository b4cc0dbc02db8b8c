//! Reads what a user points at: list, hash what is not remembered, remember.

use super::content::{Found, Scan};
use super::error::ScanError;
use super::hash::{hash_all, open_regular};
use super::hash_cache::HashCache;
use super::options::ScanOptions;
use super::walk::walk;
use std::path::Path;

/// Names the content of a user's file or folder. Hashes with several threads; call it where blocking is allowed.
///
/// # Errors
/// A link that leaves the folder, a name that artifacts cannot hold, a device, more than the options allow, or an unreadable file.
pub fn scan(path: &Path, options: &ScanOptions) -> Result<Scan, ScanError> {
    let root = path
        .canonicalize()
        .map_err(|error| ScanError::file("open", path, error))?;
    let mut known = HashCache::open(options.hash_cache.as_deref(), &root);
    let listing = walk(&root, options)?;
    let files = hash_all(listing.files, &known, &|found: &Found| open_regular(&found.path))?;
    known.remember(&files);
    Ok(Scan::new(files, listing.empty_folders))
}
