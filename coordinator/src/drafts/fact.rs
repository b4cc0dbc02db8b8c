//! What happened to drafts: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::draft::DraftSpec;
use tidemill_protocol::name::Name;

/// What happened to a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftFact {
    /// It was made, or is another from now on.
    DraftSet {
        /// The draft.
        name: Name,
        /// What it is.
        spec: Box<DraftSpec>,
        /// Who set it.
        by: String,
    },
    /// It was removed; its runs and versions stay.
    DraftRemoved {
        /// The draft.
        name: Name,
        /// Who removed it.
        by: String,
    },
}
