//! What happened to tokens: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::access::{Scope, SubjectKind, TokenId};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// What happened to a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessFact {
    /// A token was made.
    TokenCreated {
        /// Its public name.
        id: TokenId,
        /// The hash of its secret; the secret itself is nowhere.
        hash: Digest,
        /// What it may do.
        scope: Scope,
        /// Whose it is.
        subject: String,
        /// When it ceases to be good; none for never.
        expires_at: Option<Timestamp>,
        /// Who made it.
        by: String,
    },
    /// A token that was just made is a team's, or for one project only. A fact of its own, so that a version that does not know it stops instead of giving the token more
    /// than it has.
    TokenBound {
        /// The token.
        id: TokenId,
        /// What its subject is.
        kind: SubjectKind,
        /// The only project that it is for; none for all that its subject may.
        project: Option<Name>,
    },
    /// A token was revoked.
    TokenRevoked {
        /// The token.
        id: TokenId,
        /// Who revoked it.
        by: String,
    },
    /// A token that had been revoked or had expired was forgotten, to make room.
    TokenForgotten {
        /// The token.
        id: TokenId,
    },
}
