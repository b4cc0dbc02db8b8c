//! The local cache of contents and how artifacts come into a step's folder.
//!
//! What is decided here: a *store's* file is never linked into a step's folder. Large read-only inputs are hard links to the
//! *cache's* copy (mode 0444) unless the file system can clone; small files, executables and writable inputs are private copies,
//! which a local store gives straight, so they take no room here. Steps may run as root, for whom 0444 is no wall, so a cached file
//! is used only while it shows the stamp under which it was verified and is fetched anew otherwise, and
//! [`Materialized::verify_unchanged`] tells after a step whether its linked inputs stayed what they were.

mod fetch;
mod index;
mod materialize;
mod place;

pub use fetch::Cache;
pub use materialize::{Access, Materialized};
