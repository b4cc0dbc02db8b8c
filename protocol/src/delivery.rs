//! The words that webhooks and mailings share: what became of one telling. Kept in the journal, so readable for ever. Whom is told what stands in `webhook` and
//! `mailing`.

use crate::status::RunStatus;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Every way in which a run ends: what is told when nobody says otherwise.
pub fn every_end() -> Vec<RunStatus> {
    let all = RunStatus::ALL.iter().copied();
    all.filter(|status| status.is_terminal()).collect()
}

/// What became of one telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Delivery {
    /// The number of the journal's event that was told; of several that were missed, the last.
    pub sequence: u64,
    /// What was told: the run or step, and how it ended.
    pub about: String,
    /// When it was settled.
    pub at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What came of it.
    pub outcome: DeliveryOutcome,
}

/// What came of a telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// All who are told took it.
    Delivered {
        /// What was answered: the HTTP status of a webhook's address, the reply code of a mail server.
        status: u16,
    },
    /// Some took it.
    PartlyDelivered {
        /// How many took it.
        taken: u32,
        /// Who did not, and why.
        why: String,
    },
    /// It was given up.
    GivenUp {
        /// Why.
        why: String,
    },
    /// The journal no longer held what was to be told.
    Missed {
        /// The first event that nobody can tell any more.
        first: u64,
        /// The last.
        last: u64,
    },
}
