//! What happened to webhooks: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::name::Name;
use tidemill_protocol::webhook::WebhookSpec;

/// What happened to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFact {
    /// It was made, or is another from now on.
    WebhookSet {
        /// The webhook.
        name: Name,
        /// What it tells, and whom.
        spec: Box<WebhookSpec>,
        /// Events of the journal after this one are told.
        after: u64,
        /// Who set it.
        by: String,
    },
    /// It was removed.
    WebhookRemoved {
        /// The webhook.
        name: Name,
        /// Who removed it.
        by: String,
    },
    /// An event was told, given up or missed.
    WebhookSettled {
        /// The webhook.
        name: Name,
        /// The event's number in the journal.
        sequence: u64,
        /// What was told.
        about: String,
        /// How often it was tried.
        tries: u32,
        /// What came of it.
        outcome: DeliveryOutcome,
    },
    /// It tells nothing from now on.
    WebhookPaused {
        /// The webhook.
        name: Name,
        /// Why; may be empty.
        reason: String,
        /// Who paused it.
        by: String,
    },
    /// It tells again.
    WebhookResumed {
        /// The webhook.
        name: Name,
        /// Events of the journal after this one are told.
        after: u64,
        /// Who resumed it.
        by: String,
    },
    /// Up to this event there was nothing to tell.
    WebhookAdvanced {
        /// The webhook.
        name: Name,
        /// The event's number in the journal.
        sequence: u64,
    },
}
