//! What may be asked of the tokens, and which facts follow, or why none do.

use super::fact::AccessFact;
use super::state::Access;
use crate::idempotency::Created;
use crate::ledger::{Ledger, Ledgers};
use tidemill_protocol::access::{Scope, SubjectKind, TokenId};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Tokens that are known at once, those that are no longer good included.
pub const TOKENS_MAX: usize = 10_000;
/// Longest name of whom a token belongs to, in characters.
const SUBJECT_CHARS_MAX: usize = 128;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessCommand {
    /// Make a token. Id and secret were drawn by the caller.
    CreateToken {
        /// Its public name.
        id: TokenId,
        /// The hash of its secret.
        hash: Digest,
        /// What it is to allow.
        scope: Scope,
        /// Whose it is to be.
        subject: String,
        /// What its subject is.
        kind: SubjectKind,
        /// The only project that it is to be for.
        project: Option<Name>,
        /// When it is to cease to be good; none for never.
        expires_at: Option<Timestamp>,
        /// Who asks.
        by: String,
    },
    /// Take a token back, from now on.
    RevokeToken {
        /// The token.
        id: TokenId,
        /// Who asks.
        by: String,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessRejection {
    /// No such token.
    #[error("there is no token {0}")]
    UnknownToken(TokenId),
    /// The id was drawn before.
    #[error("there is a token {0} already")]
    IdTaken(TokenId),
    /// All the room is taken by good tokens.
    #[error("there are {TOKENS_MAX} good tokens already")]
    TooMany,
    /// The end lies in the past.
    #[error("the token would have expired before it was made")]
    AlreadyExpired,
    /// Operators and admins act on the whole service.
    #[error("a token for one project has the scope reader or submitter")]
    TooWide,
    /// The name is empty, too long or holds control characters.
    #[error("a subject has 1 to {SUBJECT_CHARS_MAX} characters, none of them a control character")]
    BadSubject,
}

impl Ledger for Access {
    type Command = AccessCommand;
    type Fact = AccessFact;
    type Rejection = AccessRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.access
    }

    fn created(fact: &AccessFact) -> Option<Created> {
        match fact {
            AccessFact::TokenCreated { id, .. } => Some(Created::shown_once(id)),
            _ => None,
        }
    }

    /// Revoking twice changes nothing and is no error.
    fn decide(&self, now: Timestamp, command: &AccessCommand) -> Result<Vec<AccessFact>, AccessRejection> {
        match command {
            AccessCommand::CreateToken {
                id,
                hash,
                scope,
                subject,
                kind,
                project,
                expires_at,
                by,
            } => {
                check_subject(subject)?;
                check_project(*scope, project.as_ref())?;
                if expires_at.is_some_and(|end| end <= now) {
                    return Err(AccessRejection::AlreadyExpired);
                }
                if self.token(id).is_some() {
                    return Err(AccessRejection::IdTaken(id.clone()));
                }
                let mut facts: Vec<AccessFact> = self.room_for_one(now)?.into_iter().collect();
                facts.push(AccessFact::TokenCreated {
                    id: id.clone(),
                    hash: *hash,
                    scope: *scope,
                    subject: subject.clone(),
                    expires_at: *expires_at,
                    by: by.clone(),
                });
                if !kind.is_person() || project.is_some() {
                    facts.push(AccessFact::TokenBound {
                        id: id.clone(),
                        kind: *kind,
                        project: project.clone(),
                    });
                }
                Ok(facts)
            }
            AccessCommand::RevokeToken { id, by } => {
                let token = self
                    .token(id)
                    .ok_or_else(|| AccessRejection::UnknownToken(id.clone()))?;
                let revoke = AccessFact::TokenRevoked {
                    id: id.clone(),
                    by: by.clone(),
                };
                Ok(token.revoked_at.is_none().then_some(revoke).into_iter().collect())
            }
        }
    }
}

impl Access {
    /// What is to be forgotten so that one more token fits: the oldest that is no longer good.
    fn room_for_one(&self, now: Timestamp) -> Result<Option<AccessFact>, AccessRejection> {
        if self.tokens_len() < TOKENS_MAX {
            return Ok(None);
        }
        let dead = self.tokens().filter(|token| !token.is_live(now));
        let oldest = dead.min_by_key(|token| (token.created_at, &token.id));
        let id = oldest.ok_or(AccessRejection::TooMany)?.id.clone();
        Ok(Some(AccessFact::TokenForgotten { id }))
    }
}

fn check_project(scope: Scope, project: Option<&Name>) -> Result<(), AccessRejection> {
    let fits = project.is_none() || scope <= Scope::Submitter;
    fits.then_some(()).ok_or(AccessRejection::TooWide)
}

fn check_subject(subject: &str) -> Result<(), AccessRejection> {
    let length = subject.chars().count();
    let fits = (1..=SUBJECT_CHARS_MAX).contains(&length)
        && !subject.trim().is_empty()
        && !subject.chars().any(char::is_control);
    fits.then_some(()).ok_or(AccessRejection::BadSubject)
}
