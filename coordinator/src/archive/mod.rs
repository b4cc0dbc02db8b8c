//! The archive: a copy of the journal in the object store, from which a coordinator that lost its disk is rebuilt and which a standby follows.
//!
//! ```text
//! journal/<public key>/segments/<slot>          sealed pieces of the journal, in slots without gaps
//!                      snapshots/<event>        the engine's state after that event
//!                      epochs/<epoch>           who claimed which epoch
//!                      beats/<epoch>/<number>   signs of life; only the newest few are kept
//! ```
//!
//! Every object is created once, never changed, and signed by the coordinator (`trust`): others may write to the store.  Because a slot can be filled once only, whoever fills the next slot is the coordinator, and another
//! one that still believes to be it finds its slot taken and ends. `writer` fills slots beside the driver, `gate` is what the driver knows of it;
//! `beats` keep the epoch; `reach` says what keeps the coordinator from answering; `follow` brings a local journal up to the archive, for `recover` and `standby`; `adopt` takes over results of which a recovered
//! journal does not know. The rules are in decisions 0020 and 0059.

mod adopt;
mod attach;
mod beats;
mod epoch;
mod error;
mod flaw;
mod follow;
mod gate;
mod place;
mod reach;
mod record;
mod recover;
mod segments;
mod snapshots;
mod standby;
mod sure;
mod trust;
mod writer;

pub use adopt::LeftResult;
pub(crate) use attach::{Attached, Copying, Journal, attach};
pub use error::ArchiveError;
pub use flaw::RecordFlaw;
pub(crate) use gate::Gate;
pub(crate) use reach::{Asker, Hindrance, Reach};
pub use record::Segment;
pub use recover::{RecoverOptions, RecoveredState, recover_state};
pub use standby::{TookOver, stand_by};
pub(crate) use sure::Sure;
pub use trust::{Trust, Voucher};

use std::time::Duration;

/// How often a coordinator shows that it lives and looks for a newer epoch.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);
/// How long after its last good beat a coordinator may still act on the world.
pub const SURE_FOR: Duration = Duration::from_secs(8);
/// How long a standby must have seen no new beat, in a store that answers, before it takes over. Well above [`SURE_FOR`].
pub const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long an answer waits for the archive at most, in synchronous mode, before whoever asks is told to come back.
pub const ANSWERS_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long events wait at most before they are sealed, when nobody waits for it.
pub const SEAL_AFTER: Duration = Duration::from_secs(5);
/// Snapshots that the archive keeps; segments that all of them cover are deleted.
pub const ARCHIVED_SNAPSHOTS_KEPT: usize = 3;
/// Objects of a kind that are not the coordinator's and that are looked past in search of its own.
const STRANGE_MAX: usize = 64;
