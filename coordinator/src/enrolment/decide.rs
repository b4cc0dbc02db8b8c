//! What may be asked about workers' enrolment, and which facts follow, or why none do.

use super::fact::EnrolmentFact;
use super::state::{Enrolment, JoinRefusal, JoinToken};
use crate::idempotency::Created;
use crate::ledger::{Ledger, Ledgers};
use std::collections::BTreeSet;
use tidemill_protocol::access::TokenId;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::TrustedKey;
use tidemill_transport::class::{BadClass, WorkerClass};

/// Join tokens that are known at once, those that are no longer good included.
pub const JOIN_TOKENS_MAX: usize = 1_000;
/// Workers that are enrolled, and workers that are quarantined, at once.
pub const WORKERS_MAX: usize = 4_096;
/// Compute targets that a join token may name.
const TARGETS_MAX: usize = 64;
/// Longest time for which a join token may be good.
const LIFE_MAX: Millis = Millis::from_secs(30 * 24 * 3600);
/// Longest reason in characters.
const REASON_CHARS_MAX: usize = 500;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolmentCommand {
    /// Make a join token. Id and secret were drawn by the caller.
    CreateToken {
        /// Its public name.
        id: TokenId,
        /// The hash of its secret.
        hash: Digest,
        /// The compute targets that the worker may serve; any when empty.
        targets: BTreeSet<Name>,
        /// The class that the worker is to be of.
        class: Option<Name>,
        /// When it is to cease to be good.
        expires_at: Timestamp,
        /// Who asks.
        by: String,
    },
    /// Take a join token back.
    RevokeToken {
        /// The token.
        id: TokenId,
        /// Who asks.
        by: String,
    },
    /// Join by a token whose secret was shown. That the worker has the key was proved.
    Enrol {
        /// The token.
        token: TokenId,
        /// The worker.
        worker: WorkerId,
        /// The public half of its key.
        key: TrustedKey,
    },
    /// Let nothing of a worker count.
    Quarantine {
        /// The worker.
        worker: WorkerId,
        /// Why.
        reason: String,
        /// Who asks.
        by: String,
    },
    /// Let a quarantined worker count again.
    Release {
        /// The worker.
        worker: WorkerId,
        /// Who asks.
        by: String,
    },
    /// Forget a worker's key.
    Remove {
        /// The worker.
        worker: WorkerId,
        /// Who asks.
        by: String,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRejection {
    /// No such token.
    #[error("there is no join token {0}")]
    UnknownToken(TokenId),
    /// The id was drawn before.
    #[error("there is a join token {0} already")]
    IdTaken(TokenId),
    /// All the room is taken.
    #[error("there are {0} {1} already")]
    TooMany(usize, &'static str),
    /// The end lies in the past or too far ahead.
    #[error("a join token is good for at least a moment and at most 30 days")]
    BadLife,
    /// More targets than are kept.
    #[error("a join token names at most {TARGETS_MAX} compute targets")]
    TooManyTargets,
    /// Not a class.
    #[error(transparent)]
    BadClass(#[from] BadClass),
    /// The token is good no more.
    #[error(transparent)]
    Refused(#[from] JoinRefusal),
    /// Somebody else has joined by the token.
    #[error("the join token was used by worker {0}")]
    Used(WorkerId),
    /// The worker is not of the token's class.
    #[error("the join token is for workers whose names begin with `{0}`")]
    OtherClass(String),
    /// The name is that of a worker with another key.
    #[error("worker {0} is enrolled with another key")]
    NameTaken(WorkerId),
    /// Another worker has the key.
    #[error("the key is that of worker {0}")]
    KeyTaken(WorkerId),
    /// Nothing of the worker counts.
    #[error("worker {0} is quarantined")]
    Quarantined(WorkerId),
    /// The worker is not enrolled.
    #[error("worker {0} is not enrolled")]
    NotEnrolled(WorkerId),
    /// The reason is empty, too long or holds control characters.
    #[error("a reason has 1 to {REASON_CHARS_MAX} characters, none of them a control character")]
    BadReason,
}

impl Ledger for Enrolment {
    type Command = EnrolmentCommand;
    type Fact = EnrolmentFact;
    type Rejection = EnrolmentRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.enrolment
    }

    fn created(fact: &EnrolmentFact) -> Option<Created> {
        match fact {
            EnrolmentFact::JoinTokenCreated { id, .. } => Some(Created::shown_once(id)),
            _ => None,
        }
    }

    /// What is so already is no error and no fact: a worker that did not hear the answer asks again.
    fn decide(
        &self,
        now: Timestamp,
        command: &EnrolmentCommand,
    ) -> Result<Vec<EnrolmentFact>, EnrolmentRejection> {
        match command {
            EnrolmentCommand::CreateToken { .. } => self.create(now, command),
            EnrolmentCommand::RevokeToken { id, by } => {
                let token = self.known(id)?;
                let revoke = EnrolmentFact::JoinTokenRevoked {
                    id: id.clone(),
                    by: by.clone(),
                };
                Ok(token.revoked_at.is_none().then_some(revoke).into_iter().collect())
            }
            EnrolmentCommand::Enrol { token, worker, key } => self.enrolling(now, token, worker, *key),
            EnrolmentCommand::Quarantine { worker, reason, by } => {
                check_reason(reason)?;
                let known = self.quarantine(worker);
                if known.is_none() && self.quarantined().len() >= WORKERS_MAX {
                    return Err(EnrolmentRejection::TooMany(WORKERS_MAX, "quarantined workers"));
                }
                let is_said = known.is_some_and(|known| known.reason == *reason);
                let quarantine = EnrolmentFact::WorkerQuarantined {
                    worker: worker.clone(),
                    reason: reason.clone(),
                    by: by.clone(),
                };
                Ok((!is_said).then_some(quarantine).into_iter().collect())
            }
            EnrolmentCommand::Release { worker, by } => {
                let release = EnrolmentFact::WorkerReleased {
                    worker: worker.clone(),
                    by: by.clone(),
                };
                let is_in = self.quarantine(worker).is_some();
                Ok(is_in.then_some(release).into_iter().collect())
            }
            EnrolmentCommand::Remove { worker, by } => {
                self.worker(worker)
                    .ok_or_else(|| EnrolmentRejection::NotEnrolled(worker.clone()))?;
                Ok(vec![EnrolmentFact::WorkerRemoved {
                    worker: worker.clone(),
                    by: by.clone(),
                }])
            }
        }
    }
}

impl Enrolment {
    fn known(&self, id: &TokenId) -> Result<&JoinToken, EnrolmentRejection> {
        self.token(id)
            .ok_or_else(|| EnrolmentRejection::UnknownToken(id.clone()))
    }

    fn create(
        &self,
        now: Timestamp,
        command: &EnrolmentCommand,
    ) -> Result<Vec<EnrolmentFact>, EnrolmentRejection> {
        let EnrolmentCommand::CreateToken {
            id,
            hash,
            targets,
            class,
            expires_at,
            by,
        } = command
        else {
            return Ok(Vec::new());
        };
        if *expires_at <= now || *expires_at > now + LIFE_MAX {
            return Err(EnrolmentRejection::BadLife);
        }
        if targets.len() > TARGETS_MAX {
            return Err(EnrolmentRejection::TooManyTargets);
        }
        if let Some(class) = class {
            class.as_str().parse::<WorkerClass>()?;
        }
        if self.token(id).is_some() {
            return Err(EnrolmentRejection::IdTaken(id.clone()));
        }
        let mut facts: Vec<EnrolmentFact> = self.room_for_one(now)?.into_iter().collect();
        facts.push(EnrolmentFact::JoinTokenCreated {
            id: id.clone(),
            hash: *hash,
            targets: targets.clone(),
            class: class.clone(),
            expires_at: *expires_at,
            by: by.clone(),
        });
        Ok(facts)
    }

    /// What is to be forgotten so that one more token fits: the oldest by which nobody may join.
    fn room_for_one(&self, now: Timestamp) -> Result<Option<EnrolmentFact>, EnrolmentRejection> {
        if self.tokens().len() < JOIN_TOKENS_MAX {
            return Ok(None);
        }
        let dead = self.tokens().filter(|token| !token.is_live(now));
        let oldest = dead.min_by_key(|token| (token.created_at, &token.id));
        let oldest = oldest.ok_or(EnrolmentRejection::TooMany(JOIN_TOKENS_MAX, "good join tokens"))?;
        Ok(Some(EnrolmentFact::JoinTokenForgotten {
            id: oldest.id.clone(),
        }))
    }

    fn enrolling(
        &self,
        now: Timestamp,
        id: &TokenId,
        worker: &WorkerId,
        key: TrustedKey,
    ) -> Result<Vec<EnrolmentFact>, EnrolmentRejection> {
        let token = self.known(id)?;
        if let Some(refusal) = token.refusal(now) {
            return Err(refusal.into());
        }
        let known = self.worker(worker);
        if let Some(user) = &token.used_by {
            let is_again =
                user == worker && known.is_some_and(|known| known.key == key && known.token == *id);
            let used = || EnrolmentRejection::Used(user.clone());
            return if is_again { Ok(Vec::new()) } else { Err(used()) };
        }
        if let Some(class) = &token.class {
            let prefix = class.as_str().parse::<WorkerClass>()?.name_prefix();
            if !worker.as_str().starts_with(&prefix) {
                return Err(EnrolmentRejection::OtherClass(prefix));
            }
        }
        if self.quarantine(worker).is_some() {
            return Err(EnrolmentRejection::Quarantined(worker.clone()));
        }
        if known.is_some_and(|known| known.key != key) {
            return Err(EnrolmentRejection::NameTaken(worker.clone()));
        }
        let mut others = self.workers().filter(|(id, _)| *id != worker);
        // By their short names, too: an envelope says only that.
        if let Some((other, _)) = others.find(|(_, other)| other.key.id() == key.id()) {
            return Err(EnrolmentRejection::KeyTaken(other.clone()));
        }
        if known.is_none() && self.workers().len() >= WORKERS_MAX {
            return Err(EnrolmentRejection::TooMany(WORKERS_MAX, "enrolled workers"));
        }
        Ok(vec![EnrolmentFact::WorkerEnrolled {
            worker: worker.clone(),
            key,
            token: id.clone(),
        }])
    }
}

fn check_reason(reason: &str) -> Result<(), EnrolmentRejection> {
    let length = reason.chars().count();
    let fits = (1..=REASON_CHARS_MAX).contains(&length)
        && !reason.trim().is_empty()
        && !reason.chars().any(char::is_control);
    fits.then_some(()).ok_or(EnrolmentRejection::BadReason)
}
