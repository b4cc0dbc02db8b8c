//! Files of this machine: what becomes an artifact, what is refused, and how artifacts become files again.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod cache;
mod collect;
mod copies;
mod local;
mod scan;
mod sweep;
mod tree;
