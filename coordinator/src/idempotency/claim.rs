//! The claim that a request makes by showing a key. It goes along with the request's task, so that whatever of it reaches the driver is decided under the key, and comes back
//! with what the driver found.

use super::fact::{Created, IdempotencyFact};
use super::state::{Idempotency, Seen};
use ring::digest::{Context, SHA256};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tidemill_protocol::digest::{CanonicalHasher, Digest};
use tidemill_protocol::time::Timestamp;

tokio::task_local! {
    static CLAIM: Arc<Claim>;
}

/// Carries out a request under a claim.
pub(crate) async fn with<T>(claim: Arc<Claim>, request: impl Future<Output = T>) -> T {
    CLAIM.scope(claim, request).await
}

/// The claim of the request that is being answered, if it makes one.
pub(crate) fn current() -> Option<Arc<Claim>> {
    CLAIM.try_with(Arc::clone).ok()
}

/// What a request shows beside its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// Who asks.
    pub(crate) subject: &'a str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) key: &'a str,
}

/// What a request asks for under a key.
pub(crate) struct Claim {
    subject: String,
    shown: String,
    key: Digest,
    /// What is asked, without the body.
    asked: CanonicalHasher,
    /// The body as far as it was read. Whoever wants a change has read it.
    body: Mutex<Context>,
    /// How many changes were made, or found to have been made.
    changes: AtomicUsize,
    verdict: Mutex<Verdict>,
}

/// What the driver found about a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was done under the key before.
    New,
    /// What is answered was done before.
    Again,
    /// The key was used at this moment for something else.
    OtherRequest(Timestamp),
    /// This was made, and what was shown of it is nowhere.
    ShownOnce(String),
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

impl Claim {
    /// A claim on a key, for what is asked by these words beside the body.
    pub(crate) fn new(shown: Shown<'_>, words: &[Option<&str>]) -> Self {
        let mut key = CanonicalHasher::new("tidemill/idempotency-key/v1");
        key.text(shown.subject).text(shown.method);
        key.text(shown.path).text(shown.key);
        // The key goes in, so that nobody finds out from the hash what a body said that only a few can be.
        let mut asked = CanonicalHasher::new("tidemill/idempotent-request/v1");
        asked.text(shown.key);
        for word in words {
            asked.optional(*word);
        }
        Self {
            subject: shown.subject.to_owned(),
            shown: shown.key.to_owned(),
            key: key.finish(),
            asked,
            body: Mutex::new(Context::new(&SHA256)),
            changes: AtomicUsize::new(0),
            verdict: Mutex::new(Verdict::New),
        }
    }

    /// The key as it was shown.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// A part of the body goes by.
    pub(crate) fn read(&self, bytes: &[u8]) {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        body.update(bytes);
    }

    /// Whether anything was done under the key, so that what is asked for may be there already.
    pub(crate) fn is_known(&self, keys: &Idempotency, now: Timestamp) -> bool {
        keys.knows(now, self.key)
    }

    /// What is known of the next change. Unless it is new, that is the request's outcome.
    pub(crate) fn find(&self, keys: &Idempotency, now: Timestamp) -> Found {
        let change = self.changes.load(Ordering::Relaxed);
        match keys.find(now, self.key, self.request(), change) {
            Seen::New => Found::New,
            Seen::Again(Some(created)) if created.is_shown_once => {
                self.judge(Verdict::ShownOnce(created.id));
                Found::Refused
            }
            Seen::Again(created) => {
                self.changes.fetch_add(1, Ordering::Relaxed);
                self.judge(Verdict::Again);
                Found::Again(created.map(|created| created.id))
            }
            Seen::OtherRequest(at) => {
                self.judge(Verdict::OtherRequest(at));
                Found::Refused
            }
        }
    }

    /// The fact that a change was made, to stand beside the change's own.
    pub(crate) fn used(&self, created: Option<Created>) -> IdempotencyFact {
        self.changes.fetch_add(1, Ordering::Relaxed);
        IdempotencyFact::KeyUsed {
            key: self.key,
            subject: self.subject.clone(),
            request: self.request(),
            created,
        }
    }

    /// What the driver found.
    pub(crate) fn verdict(&self) -> Verdict {
        self.verdict
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn judge(&self, verdict: Verdict) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    fn request(&self) -> Digest {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.asked.clone().bytes(body.finish().as_ref()).finish()
    }
}

/// What is to become of a change under a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It is decided.
    New,
    /// It was made before, and made this.
    Again(Option<String>),
    /// It is not carried out; the claim's verdict says why.
    Refused,
}
