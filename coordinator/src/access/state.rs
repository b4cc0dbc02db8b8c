//! The tokens that are known, and whether one that is shown is good now. Changed by facts only, so the journal brings it back as it was.

use super::fact::AccessFact;
use super::secret::Presented;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;
use tidemill_protocol::access::{Scope, SubjectKind, TokenId};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Every token, good or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    tokens: BTreeMap<TokenId, Token>,
    /// Whether there ever was a token. From then on every request over a port needs one: revoking the last must lock out, not open up.
    #[serde(default)]
    closed: bool,
}

/// A token as it is kept: with the hash of its secret, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public name.
    pub id: TokenId,
    /// The hash of its secret.
    hash: Digest,
    /// What it may do.
    pub scope: Scope,
    /// Whose it is: a person's or a system's name.
    pub subject: String,
    /// What its subject is.
    #[serde(default)]
    pub kind: SubjectKind,
    /// The only project that it is for; none for all that its subject may.
    #[serde(default)]
    pub project: Option<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ceases to be good; none for never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Why a token that was shown is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such token, or its secret is another.
    #[error("the token is not known here")]
    Unknown,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Somebody took it back.
    #[error("the token was revoked")]
    Revoked,
    /// None was shown, and meanwhile there was a first one.
    #[error("there are tokens now, and this needs one")]
    Closed,
}

impl Token {
    /// Whether it is good at this moment.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.refusal(now).is_none()
    }

    /// Why it is not good at this moment, if so.
    pub(crate) fn refusal(&self, now: Timestamp) -> Option<Refusal> {
        if self.revoked_at.is_some() {
            Some(Refusal::Revoked)
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Some(Refusal::Expired)
        } else {
            None
        }
    }
}

impl Access {
    /// Whether a request over a port needs a token.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// A token by its name.
    pub fn token(&self, id: &TokenId) -> Option<&Token> {
        self.tokens.get(id)
    }

    /// All tokens, in the order of their names.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// How many tokens are known.
    pub fn tokens_len(&self) -> usize {
        self.tokens.len()
    }

    /// The token that was shown, if it is good now. Only somebody who has the right secret learns that a token was revoked or has expired; the secret is
    /// compared in constant time.
    pub fn check(&self, shown: &Presented, now: Timestamp) -> Result<&Token, Refusal> {
        let token = self.tokens.get(shown.id()).ok_or(Refusal::Unknown)?;
        let fits: bool = shown.hash().as_bytes().ct_eq(token.hash.as_bytes()).into();
        if !fits {
            return Err(Refusal::Unknown);
        }
        token.refusal(now).map_or(Ok(token), Err)
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &AccessFact) {
        match fact {
            AccessFact::TokenCreated {
                id,
                hash,
                scope,
                subject,
                expires_at,
                by,
            } => {
                self.closed = true;
                let token = Token {
                    id: id.clone(),
                    hash: *hash,
                    scope: *scope,
                    subject: subject.clone(),
                    kind: SubjectKind::Person,
                    project: None,
                    created_at: at,
                    created_by: by.clone(),
                    expires_at: *expires_at,
                    revoked_at: None,
                };
                self.tokens.insert(id.clone(), token);
            }
            AccessFact::TokenBound { id, kind, project } => {
                if let Some(token) = self.tokens.get_mut(id) {
                    token.kind = *kind;
                    token.project.clone_from(project);
                }
            }
            AccessFact::TokenRevoked { id, .. } => {
                if let Some(token) = self.tokens.get_mut(id) {
                    token.revoked_at.get_or_insert(at);
                }
            }
            AccessFact::TokenForgotten { id } => {
                self.tokens.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccessCommand, AccessRejection, Secret, TOKENS_MAX};
    use crate::ledger::Ledger as _;

    fn create(secret: &Secret, expires_at: Option<u64>) -> AccessCommand {
        AccessCommand::CreateToken {
            id: secret.id().clone(),
            hash: secret.hash(),
            scope: Scope::Submitter,
            subject: "ci".into(),
            kind: SubjectKind::Person,
            project: None,
            expires_at: expires_at.map(Timestamp),
            by: "ada".into(),
        }
    }

    fn revoke(secret: &Secret) -> AccessCommand {
        AccessCommand::RevokeToken {
            id: secret.id().clone(),
            by: "ada".into(),
        }
    }

    fn shown(secret: &Secret) -> Presented {
        Presented::read(&secret.reveal()).unwrap()
    }

    /// Carries a command out at this moment.
    fn carry_out(access: &mut Access, now: u64, command: &AccessCommand) -> Result<usize, AccessRejection> {
        let facts = access.decide(Timestamp(now), command)?;
        for fact in &facts {
            access.apply(Timestamp(now), fact);
        }
        Ok(facts.len())
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        let (mut access, secret) = (Access::default(), Secret::draw().unwrap());
        assert!(!access.is_closed());
        carry_out(&mut access, 10, &create(&secret, Some(20))).unwrap();
        assert!(access.is_closed());
        let token = access.check(&shown(&secret), Timestamp(19)).unwrap();
        assert_eq!((token.scope, token.subject.as_str()), (Scope::Submitter, "ci"));
        assert_eq!(
            access.check(&shown(&secret), Timestamp(20)),
            Err(Refusal::Expired)
        );
    }

    #[test]
    fn a_revoked_token_is_not_good_and_the_api_stays_closed() {
        let (mut access, secret) = (Access::default(), Secret::draw().unwrap());
        carry_out(&mut access, 10, &create(&secret, None)).unwrap();
        assert_eq!(carry_out(&mut access, 11, &revoke(&secret)), Ok(1));
        assert_eq!(
            access.check(&shown(&secret), Timestamp(11)),
            Err(Refusal::Revoked)
        );
        assert_eq!(
            carry_out(&mut access, 12, &revoke(&secret)),
            Ok(0),
            "a second time is no error"
        );
        assert!(access.is_closed());
    }

    #[test]
    fn another_secret_under_the_same_name_is_unknown_even_when_the_token_was_revoked() {
        let (mut access, secret) = (Access::default(), Secret::draw().unwrap());
        carry_out(&mut access, 10, &create(&secret, None)).unwrap();
        let other = Secret::draw().unwrap().reveal();
        let forged = other.replace(other.split('_').nth(1).unwrap(), secret.id().as_str());
        let forged = Presented::read(&forged).unwrap();
        assert_eq!(access.check(&forged, Timestamp(10)), Err(Refusal::Unknown));
        carry_out(&mut access, 11, &revoke(&secret)).unwrap();
        assert_eq!(access.check(&forged, Timestamp(11)), Err(Refusal::Unknown));
    }

    #[test]
    fn what_makes_no_sense_is_rejected_and_changes_nothing() {
        let (mut access, secret) = (Access::default(), Secret::draw().unwrap());
        let past = carry_out(&mut access, 10, &create(&secret, Some(10)));
        assert_eq!(past, Err(AccessRejection::AlreadyExpired));
        for bad in ["", "  ", "a\nb", &"x".repeat(129)] {
            let mut command = create(&secret, None);
            if let AccessCommand::CreateToken { subject, .. } = &mut command {
                bad.clone_into(subject);
            }
            assert_eq!(
                carry_out(&mut access, 10, &command),
                Err(AccessRejection::BadSubject)
            );
        }
        assert!(carry_out(&mut access, 10, &revoke(&secret)).is_err());
        assert_eq!(access, Access::default());
        carry_out(&mut access, 10, &create(&secret, None)).unwrap();
        assert!(matches!(
            carry_out(&mut access, 10, &create(&secret, None)),
            Err(AccessRejection::IdTaken(_))
        ));
    }

    #[test]
    fn when_all_room_is_taken_the_oldest_dead_token_is_forgotten_and_a_good_one_never() {
        let mut access = Access::default();
        let secrets: Vec<Secret> = (0..TOKENS_MAX).map(|_| Secret::draw().unwrap()).collect();
        for (secret, now) in secrets.iter().zip(1..) {
            carry_out(&mut access, now, &create(secret, None)).unwrap();
        }
        let more = Secret::draw().unwrap();
        assert_eq!(
            carry_out(&mut access, 20_000, &create(&more, None)),
            Err(AccessRejection::TooMany)
        );
        carry_out(&mut access, 20_001, &revoke(&secrets[7])).unwrap();
        carry_out(&mut access, 20_001, &revoke(&secrets[5])).unwrap();
        assert_eq!(carry_out(&mut access, 20_002, &create(&more, None)), Ok(2));
        assert!(access.token(secrets[5].id()).is_none());
        assert!(access.token(secrets[7].id()).is_some());
        assert_eq!(access.tokens_len(), TOKENS_MAX);
    }
}
