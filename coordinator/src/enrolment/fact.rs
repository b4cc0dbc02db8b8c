//! What happened to workers' enrolment: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::TrustedKey;

/// What happened to a worker's enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentFact {
    /// A join token was made.
    JoinTokenCreated {
        /// Its public name.
        id: TokenId,
        /// The hash of its secret; the secret itself is nowhere.
        hash: Digest,
        /// The compute targets that the worker may serve; any when empty.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        targets: BTreeSet<Name>,
        /// The class that the worker is to be of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        class: Option<Name>,
        /// When it ceases to be good.
        expires_at: Timestamp,
        /// Who made it.
        by: String,
    },
    /// A join token was revoked.
    JoinTokenRevoked {
        /// The token.
        id: TokenId,
        /// Who revoked it.
        by: String,
    },
    /// A join token that was good no more was forgotten, to make room.
    JoinTokenForgotten {
        /// The token.
        id: TokenId,
    },
    /// A worker joined: the token is used up, and the worker is known by this key. What it may serve is what the token said.
    WorkerEnrolled {
        /// The worker.
        worker: WorkerId,
        /// The public half of its key.
        key: TrustedKey,
        /// The token.
        token: TokenId,
    },
    /// From now on nothing of this worker counts.
    WorkerQuarantined {
        /// The worker.
        worker: WorkerId,
        /// Why.
        reason: String,
        /// Who said so.
        by: String,
    },
    /// What this worker does counts again.
    WorkerReleased {
        /// The worker.
        worker: WorkerId,
        /// Who said so.
        by: String,
    },
    /// The key of this worker is good no more; its name is free.
    WorkerRemoved {
        /// The worker.
        worker: WorkerId,
        /// Who said so.
        by: String,
    },
}
