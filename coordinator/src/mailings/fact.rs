//! What happened to mailings: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::mailing::MailingSpec;
use tidemill_protocol::name::Name;

/// What happened to a mailing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailingFact {
    /// It was made, or is another from now on.
    MailingSet {
        /// The mailing.
        name: Name,
        /// What it tells, and whom.
        spec: Box<MailingSpec>,
        /// Events of the journal after this one are told.
        after: u64,
        /// Who set it.
        by: String,
    },
    /// It was removed.
    MailingRemoved {
        /// The mailing.
        name: Name,
        /// Who removed it.
        by: String,
    },
    /// An event was told, given up or missed.
    MailingSettled {
        /// The mailing.
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
    MailingPaused {
        /// The mailing.
        name: Name,
        /// Why; may be empty.
        reason: String,
        /// Who paused it.
        by: String,
    },
    /// It tells again.
    MailingResumed {
        /// The mailing.
        name: Name,
        /// Events of the journal after this one are told.
        after: u64,
        /// Who resumed it.
        by: String,
    },
    /// Up to this event there was nothing to tell.
    MailingAdvanced {
        /// The mailing.
        name: Name,
        /// The event's number in the journal.
        sequence: u64,
    },
}
