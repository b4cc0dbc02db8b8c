//! Webhooks: ends of runs and steps told to addresses that somebody named, signed. Who is told when, from where in the journal and how often stands in
//! `notifications`; here is the ledger with the spelling of its facts, and how an address is told. An end may be told twice, with the same id.

mod decide;
mod fact;
mod sending;
mod state;

pub use fact::WebhookFact;
pub(crate) use sending::{SendError, test};
pub use state::Webhooks;
