//! The enrolment as whoever verifies a message or request sees it: what is durable, by key and by name, with the worker of this process and the rule by which a
//! key is asked for.

use super::state::Enrolment;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::wire::{KeyId, TrustedKey};
use tokio::sync::watch;

/// Whether a worker without a key of its own is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EnrolmentRule {
    /// Until there is a token or an enrolled worker; from then on never again.
    #[default]
    UntilClosed,
    /// Yes, as long as nobody is enrolled under its name: while workers are enrolled one after the other.
    Optional,
    /// Never.
    Required,
}

impl EnrolmentRule {
    /// The rule of a word; none for the one that holds when nobody says.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

/// The worker of this process, which needs no join token.
type Own = Arc<OnceLock<(WorkerId, TrustedKey)>>;

/// The enrolment as it is durable, and whose each key is.
#[derive(Debug, Default)]
pub(crate) struct Durable {
    pub(crate) enrolment: Enrolment,
    by_key: HashMap<KeyId, WorkerId>,
}

impl Durable {
    /// This enrolment.
    pub(crate) fn of(enrolment: &Enrolment) -> Self {
        let keys = enrolment.workers();
        Self {
            by_key: keys
                .map(|(worker, enrolled)| (enrolled.key.id(), worker.clone()))
                .collect(),
            enrolment: enrolment.clone(),
        }
    }
}

/// The way to the enrolment as it is durable. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    durable: watch::Receiver<Arc<Durable>>,
    own: Own,
    rule: EnrolmentRule,
}

impl Roster {
    /// A roster that follows what the driver makes durable.
    pub(crate) fn new(durable: watch::Receiver<Arc<Durable>>, rule: EnrolmentRule) -> Self {
        Self {
            durable,
            own: Own::default(),
            rule,
        }
    }

    /// What is durable now.
    pub(crate) fn durable(&self) -> Arc<Durable> {
        Arc::clone(&self.durable.borrow())
    }

    /// Vouches for the worker of this process; the first one counts.
    pub(crate) fn vouch(&self, worker: WorkerId, key: TrustedKey) {
        // A second one would be another worker of one process: there is none.
        drop(self.own.set((worker, key)));
    }

    /// The key of a worker.
    pub(crate) fn key_of(&self, worker: &WorkerId) -> Option<TrustedKey> {
        let own = self.own.get().filter(|(own, _)| own == worker);
        let enrolled = || {
            self.durable
                .borrow()
                .enrolment
                .worker(worker)
                .map(|known| known.key)
        };
        own.map(|(_, key)| *key).or_else(enrolled)
    }

    /// Whose key this is.
    pub(crate) fn owner_of(&self, id: KeyId) -> Option<(WorkerId, TrustedKey)> {
        if let Some((worker, key)) = self.own.get().filter(|(_, key)| key.id() == id) {
            return Some((worker.clone(), *key));
        }
        let durable = self.durable.borrow();
        let worker = durable.by_key.get(&id)?;
        let known = durable.enrolment.worker(worker)?;
        Some((worker.clone(), known.key))
    }

    /// Whether nothing of this worker counts.
    pub(crate) fn is_quarantined(&self, worker: &WorkerId) -> bool {
        self.durable.borrow().enrolment.quarantine(worker).is_some()
    }

    /// Whether every worker needs a key of its own; `closed` says whether there ever was a token.
    pub(crate) fn is_required(&self, closed: bool) -> bool {
        match self.rule {
            EnrolmentRule::Required => true,
            EnrolmentRule::Optional => false,
            EnrolmentRule::UntilClosed => {
                closed || self.own.get().is_some() || self.durable.borrow().enrolment.has_begun()
            }
        }
    }
}
