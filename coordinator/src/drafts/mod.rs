//! Drafts: named pipelines that may still be changed, submitted, and published when they are good. A ledger like that of the schedules; the pipelines are blobs, and each change
//! is another one. A draft belongs to whoever made it. `frozen` makes of a draft what is published.

mod decide;
mod fact;
mod frozen;
mod state;

pub use decide::{DRAFTS_MAX, DraftCommand, DraftRejection};
pub use fact::DraftFact;
pub(crate) use frozen::with_defaults;
pub use state::{Draft, Drafts};
