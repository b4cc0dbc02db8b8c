//! What happened to secrets: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use super::seal::Sealed;
use serde::{Deserialize, Serialize};
use tidemill_protocol::name::Name;

/// What happened to a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretFact {
    /// A value was given to a name; it takes the place of the one before.
    SecretSet {
        /// The name.
        name: Name,
        /// Counts the values of this name from 1.
        version: u64,
        /// The value, which only the key of another file opens.
        sealed: Sealed,
        /// Who gave it.
        by: String,
    },
    /// A secret was removed.
    SecretRemoved {
        /// The name.
        name: Name,
        /// Who removed it.
        by: String,
    },
}
