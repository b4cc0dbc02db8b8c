//! Webhooks: ends of runs and steps told to addresses that somebody named, signed. A ledger says which there are, and how far in the journal each has come; `courier`
//! reads the journal from there on, so nothing that ended while the address or the coordinator was away is forgotten. An end may be told twice, with the same id.

mod courier;
mod decide;
mod fact;
mod occasion;
mod sending;
mod state;

pub(crate) use courier::run_webhooks;
pub use decide::{WEBHOOKS_MAX, WebhookCommand, WebhookRejection};
pub use fact::WebhookFact;
pub(crate) use sending::{SendError, test};
pub use state::{DELIVERIES_KEPT, Webhook, Webhooks};
