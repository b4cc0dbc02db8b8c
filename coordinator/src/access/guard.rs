//! What the gate remembers beside the tokens themselves: the operator's secret, who failed, when each token was last used, and which signed requests came. Nothing of it outlives the process,
//! and all of it is bounded.

use super::attempts::FailedAttempts;
use super::decide::TOKENS_MAX;
use super::replays::Replays;
use super::secret::{Presented, Secret};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::proof::RequestProof;
use tidemill_protocol::time::{Millis, Timestamp};

/// What the gate remembers.
#[derive(Debug)]
pub(crate) struct Guard {
    /// The secret in the state folder: whoever can read it may do everything.
    operator: Secret,
    failed: Mutex<FailedAttempts>,
    last_used: Mutex<HashMap<TokenId, Timestamp>>,
    signed: Mutex<Replays>,
}

impl Guard {
    /// A guard who knows this secret.
    pub(crate) fn new(operator: Secret) -> Self {
        Self {
            operator,
            failed: Mutex::default(),
            last_used: Mutex::default(),
            signed: Mutex::default(),
        }
    }

    /// Whether the operator's own secret was shown.
    pub(crate) fn is_operator(&self, shown: &Presented) -> bool {
        let fits = shown.hash().as_bytes().ct_eq(self.operator.hash().as_bytes());
        shown.id() == self.operator.id() && bool::from(fits)
    }

    /// When a token was last used since the start.
    pub(crate) fn last_used(&self, id: &TokenId) -> Option<Timestamp> {
        lock(&self.last_used).get(id).copied()
    }

    /// Notes that a token was used.
    pub(crate) fn note_use(&self, id: &TokenId, now: Timestamp) {
        let mut last_used = lock(&self.last_used);
        if last_used.len() >= TOKENS_MAX && !last_used.contains_key(id) {
            // Tokens that were forgotten since are in it: what matters comes back with the next use.
            last_used.clear();
        }
        last_used.insert(id.clone(), now);
    }

    /// Notes a request that a worker has signed; false when it came before, or there is no room to know. Whatever is older than `oldest` is refused for its
    /// age, so that it came is forgotten.
    pub(crate) fn note_signed(&self, proof: &RequestProof, oldest: Timestamp) -> bool {
        lock(&self.signed).note(proof, oldest)
    }

    /// Notes a failure; how long this address should wait, when it has failed too often.
    pub(crate) fn note_failure(&self, from: IpAddr, now: Millis) -> Option<Millis> {
        lock(&self.failed).note(from, now)
    }
}

/// What a thread that panicked left behind is still a table of the same kind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
