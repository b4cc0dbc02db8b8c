//! The join tokens and workers that are known, and whether a token that is shown is good now. Changed by facts only, so the journal brings it back as it was.

use super::fact::EnrolmentFact;
use crate::access::Presented;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use subtle::ConstantTimeEq;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::TrustedKey;

/// Every join token, enrolled worker and quarantine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Enrolment {
    tokens: BTreeMap<TokenId, JoinToken>,
    workers: BTreeMap<WorkerId, Enrolled>,
    quarantined: BTreeMap<WorkerId, Quarantine>,
    /// Whether there ever was an enrolled worker. Removing the last must lock out, not open up.
    begun: bool,
}

/// A join token as it is kept: with the hash of its secret, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Its public name.
    pub id: TokenId,
    /// The hash of its secret.
    hash: Digest,
    /// The compute targets that the worker may serve; any when empty.
    pub targets: BTreeSet<Name>,
    /// The class that the worker is to be of.
    pub class: Option<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ceases to be good.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who joined by it.
    pub used_by: Option<WorkerId>,
}

/// A worker that is known by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The public half.
    pub key: TrustedKey,
    /// The compute targets that it may serve; any when empty.
    pub targets: BTreeSet<Name>,
    /// When it joined.
    pub since: Timestamp,
    /// By which token.
    pub token: TokenId,
}

/// That nothing of a worker counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
}

/// Why a join token that was shown is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// There is no such token, or its secret is another.
    #[error("the join token is not known here")]
    Unknown,
    /// Its time is over.
    #[error("the join token has expired")]
    Expired,
    /// Somebody took it back.
    #[error("the join token was revoked")]
    Revoked,
}

impl JoinToken {
    /// Why nobody may join by it any more, beside that somebody has.
    pub fn refusal(&self, now: Timestamp) -> Option<JoinRefusal> {
        if self.revoked_at.is_some() {
            Some(JoinRefusal::Revoked)
        } else if self.expires_at <= now {
            Some(JoinRefusal::Expired)
        } else {
            None
        }
    }

    /// Whether somebody may join by it.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.used_by.is_none() && self.refusal(now).is_none()
    }
}

impl Enrolled {
    /// Whether it may serve this compute target.
    pub fn may_serve(&self, target: &Name) -> bool {
        self.targets.is_empty() || self.targets.contains(target)
    }
}

impl Enrolment {
    /// Whether there ever was an enrolled worker.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// A join token by its name.
    pub fn token(&self, id: &TokenId) -> Option<&JoinToken> {
        self.tokens.get(id)
    }

    /// All join tokens, in the order of their names.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &JoinToken> {
        self.tokens.values()
    }

    /// An enrolled worker by its name.
    pub fn worker(&self, id: &WorkerId) -> Option<&Enrolled> {
        self.workers.get(id)
    }

    /// All enrolled workers, in the order of their names.
    pub fn workers(&self) -> impl ExactSizeIterator<Item = (&WorkerId, &Enrolled)> {
        self.workers.iter()
    }

    /// Why nothing of a worker counts; none when it does.
    pub fn quarantine(&self, id: &WorkerId) -> Option<&Quarantine> {
        self.quarantined.get(id)
    }

    /// All workers of which nothing counts, in the order of their names.
    pub fn quarantined(&self) -> impl ExactSizeIterator<Item = (&WorkerId, &Quarantine)> {
        self.quarantined.iter()
    }

    /// The join token that was shown, if it is good now or somebody has joined by it, who may ask again. Only somebody who has the right secret learns that it
    /// was revoked or has expired; the secret is compared in constant time.
    pub fn check(&self, shown: &Presented, now: Timestamp) -> Result<&JoinToken, JoinRefusal> {
        let token = self.tokens.get(shown.id()).ok_or(JoinRefusal::Unknown)?;
        let fits: bool = shown.hash().as_bytes().ct_eq(token.hash.as_bytes()).into();
        if !fits {
            return Err(JoinRefusal::Unknown);
        }
        token.refusal(now).map_or(Ok(token), Err)
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &EnrolmentFact) {
        match fact {
            EnrolmentFact::JoinTokenCreated {
                id,
                hash,
                targets,
                class,
                expires_at,
                by,
            } => {
                let token = JoinToken {
                    id: id.clone(),
                    hash: *hash,
                    targets: targets.clone(),
                    class: class.clone(),
                    created_at: at,
                    created_by: by.clone(),
                    expires_at: *expires_at,
                    revoked_at: None,
                    used_by: None,
                };
                self.tokens.insert(id.clone(), token);
            }
            EnrolmentFact::JoinTokenRevoked { id, .. } => {
                if let Some(token) = self.tokens.get_mut(id) {
                    token.revoked_at.get_or_insert(at);
                }
            }
            EnrolmentFact::JoinTokenForgotten { id } => drop(self.tokens.remove(id)),
            EnrolmentFact::WorkerEnrolled { worker, key, token } => self.enrol(at, worker, *key, token),
            EnrolmentFact::WorkerQuarantined { worker, reason, by } => {
                let quarantine = Quarantine {
                    reason: reason.clone(),
                    by: by.clone(),
                    since: at,
                };
                self.quarantined.insert(worker.clone(), quarantine);
            }
            EnrolmentFact::WorkerReleased { worker, .. } => drop(self.quarantined.remove(worker)),
            EnrolmentFact::WorkerRemoved { worker, .. } => drop(self.workers.remove(worker)),
        }
    }

    fn enrol(&mut self, at: Timestamp, worker: &WorkerId, key: TrustedKey, token: &TokenId) {
        self.begun = true;
        let mut targets = BTreeSet::new();
        if let Some(token) = self.tokens.get_mut(token) {
            token.used_by = Some(worker.clone());
            targets.clone_from(&token.targets);
        }
        let enrolled = Enrolled {
            key,
            targets,
            since: at,
            token: token.clone(),
        };
        self.workers.insert(worker.clone(), enrolled);
    }
}
