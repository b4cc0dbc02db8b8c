//! What a request expects of the thing that it changes, judged by the driver in the moment of the change: only what nobody changed meanwhile is changed. It goes along with the request's
//! task, like the claim on a key, and comes back with the revision that the change led to. Which thing that is, and what its revision is made of, is for the API.

use crate::idempotency::Claim;
use crate::ledger::Ledgers;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tidemill_engine::Engine;
use tidemill_protocol::time::Timestamp;

tokio::task_local! {
    static PRECONDITION: Arc<Precondition>;
}

/// Carries out a request that changes something with a revision.
pub(crate) async fn with<T>(precondition: Arc<Precondition>, request: impl Future<Output = T>) -> T {
    PRECONDITION.scope(precondition, request).await
}

/// That of the request that is being answered, if it changes something with a revision.
pub(crate) fn current() -> Option<Arc<Precondition>> {
    PRECONDITION.try_with(Arc::clone).ok()
}

/// The revision of a thing as it is; 0 when it is not there.
pub(crate) type RevisionOf = Box<dyn Fn(&Engine, &Ledgers) -> u64 + Send + Sync>;

/// What a request expects of the thing that it changes.
pub(crate) struct Precondition {
    /// None when whatever is there may be changed.
    expected: Option<u64>,
    revision_of: RevisionOf,
    /// What was done under this key before was done to another revision, and is not done again.
    claim: Option<Arc<Claim>>,
    met: Mutex<Met>,
}

/// What the driver found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    /// It did not look yet.
    Unasked,
    /// The thing has another revision.
    Not(u64),
    /// The change led to this revision.
    Then(u64),
}

impl std::fmt::Debug for Precondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Precondition")
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl Precondition {
    /// A precondition that expects this revision, or none in particular.
    pub(crate) fn new(expected: Option<u64>, revision_of: RevisionOf, claim: Option<Arc<Claim>>) -> Self {
        Self {
            expected,
            revision_of,
            claim,
            met: Mutex::new(Met::Unasked),
        }
    }

    /// What the driver found.
    pub(crate) fn met(&self) -> Met {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the request's next change may be made. Its first one decides for all.
    pub(crate) fn admits(&self, engine: &Engine, ledgers: &Ledgers, now: Timestamp) -> bool {
        let Some(expected) = self.expected.filter(|_| self.met() == Met::Unasked) else {
            return true;
        };
        let claim = self.claim.as_ref();
        if claim.is_some_and(|claim| claim.is_known(&ledgers.idempotency, now)) {
            return true;
        }
        let found = (self.revision_of)(engine, ledgers);
        if found != expected {
            self.note(Met::Not(found));
        }
        found == expected
    }

    /// A change was made, or was not necessary.
    pub(crate) fn follow(&self, engine: &Engine, ledgers: &Ledgers) {
        self.note(Met::Then((self.revision_of)(engine, ledgers)));
    }

    fn note(&self, met: Met) {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = met;
    }
}
