//! Judges a cluster from outside after it was mistreated: what clients were promised, against the journal, the API, the store and the table of processes.
//! The invariants are those of `docs/faults.md`. Gathering is in `evidence`, judging in `judge`, `agree`, `order`, `conduct` and `kept`; judging is pure, so that it can be shown to find what is broken.

mod agree;
mod conduct;
mod evidence;
mod judge;
mod kept;
mod order;

pub use evidence::{Told, gather};
pub use judge::{Breach, Evidence, Invariant, ManifestRead, Promise, Shelf, judge};
