//! The journal: the durable events of the engine, from which everything else can be rebuilt. A narrow trait and two bodies, sled and memory.
//!
//! In a state folder: `records/` is sled's, `HEAD` says how far the records must reach, `snapshots/` holds short-cuts through them.
//! The journal knows bytes and sequence numbers only; what an event means is the engine's business.
//!
//! ```text
//! append:  records (sled flush, fdatasync) ──durable──▶ HEAD slot ──▶ answer
//! open:    probe in a child ▶ HEAD ▶ walk the chain ▶ torn tail after HEAD: cut │ anything wrong before it: refuse
//! ```

mod chain;
mod claim;
mod error;
mod export;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod head;
mod inspect;
mod log;
mod memory;
mod probe;
mod rebuild;
mod record;
mod repair;
mod sled;
mod snapshot;

pub use self::sled::{CutTail, SledLog};
pub use claim::Claim;
pub use error::JournalError;
pub use export::{ImportError, import};
#[cfg(feature = "fuzzing")]
pub use fuzzing::record as fuzz_record;
pub use inspect::{SnapshotFinding, Verification, export, verify};
pub use log::{Batch, EventLog, EventReader};
pub use memory::MemoryLog;
pub use probe::{PROBE_SECONDS_MAX, probe, probe_in_child};
pub use rebuild::{create_at, exists, put_in_place, set_aside};
pub use repair::{Repaired, repair};
pub use snapshot::{SNAPSHOTS_KEPT, Snapshots};
