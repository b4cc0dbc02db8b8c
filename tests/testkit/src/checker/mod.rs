//! Judges a cluster from outside after it was mistreated: what clients were promised, against the journal, the API, the store and the table of processes.
//! The invariants are those of `docs/faults.md`. Gathering is in `evidence`, judging in `judge`, `conduct` and `kept`; judging is pure, so that it can be shown to find what is broken.

mod conduct;
mod evidence;
mod judge;
mod kept;

pub use evidence::{Told, gather};
pub use judge::{Breach, Evidence, Invariant, Promise, Shelf, judge};
