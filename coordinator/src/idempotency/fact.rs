//! What happened to keys: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::digest::Digest;

/// What happened to a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdempotencyFact {
    /// A request that showed a key changed something. One request may change several things, one after another.
    KeyUsed {
        /// The hash of the key with whose it is, the method and the path. The key itself is nowhere.
        key: Digest,
        /// Whose it is.
        subject: String,
        /// The hash of what was asked under it.
        request: Digest,
        /// What was made; none when something that was there was changed, or all was so already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created: Option<Created>,
    },
}

/// Something that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// Its id, number, version or name, as text.
    pub id: String,
    /// Whether a part of the answer is shown once and kept nowhere, as the text of a token is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_shown_once: bool,
}

impl Created {
    /// Something whose answer can be given again.
    pub(crate) fn new(id: &impl ToString) -> Self {
        Self {
            id: id.to_string(),
            is_shown_once: false,
        }
    }

    /// Something whose answer is given once.
    pub(crate) fn shown_once(id: &impl ToString) -> Self {
        Self {
            id: id.to_string(),
            is_shown_once: true,
        }
    }
}
