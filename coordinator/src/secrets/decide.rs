//! What may be asked of the secrets, and which facts follow, or why none do.

use super::fact::SecretFact;
use super::seal::Sealed;
use super::state::Secrets;
use crate::ledger::{Ledger, Ledgers};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Secrets at once.
pub const SECRETS_MAX: usize = 1_000;
/// Bytes of all their values together: every snapshot of the journal holds them.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretCommand {
    /// Give a name a value, in place of the one that it has.
    Set {
        /// The name.
        name: Name,
        /// The value, sealed by the caller.
        sealed: Sealed,
        /// Who asks.
        by: String,
    },
    /// Forget a secret.
    Remove {
        /// The name.
        name: Name,
        /// Who asks.
        by: String,
    },
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretRejection {
    /// No such secret.
    #[error("there is no secret `{0}`")]
    Unknown(Name),
    /// All the places are taken.
    #[error("there are {SECRETS_MAX} secrets already")]
    TooMany,
    /// All the room is taken.
    #[error("the secrets have more than {} MiB together", BYTES_MAX >> 20)]
    TooLarge,
}

impl Ledger for Secrets {
    type Command = SecretCommand;
    type Fact = SecretFact;
    type Rejection = SecretRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.secrets
    }

    fn decide(&self, _now: Timestamp, command: &SecretCommand) -> Result<Vec<SecretFact>, SecretRejection> {
        match command {
            SecretCommand::Set { name, sealed, by } => {
                let before = self.get(name);
                if before.is_none() && self.all().len() >= SECRETS_MAX {
                    return Err(SecretRejection::TooMany);
                }
                let freed = before.map_or(0, |secret| secret.sealed.len());
                if self.bytes() - freed + sealed.len() > BYTES_MAX {
                    return Err(SecretRejection::TooLarge);
                }
                Ok(vec![SecretFact::SecretSet {
                    name: name.clone(),
                    version: before.map_or(0, |secret| secret.version) + 1,
                    sealed: sealed.clone(),
                    by: by.clone(),
                }])
            }
            SecretCommand::Remove { name, by } => {
                let known = self.get(name);
                known.ok_or_else(|| SecretRejection::Unknown(name.clone()))?;
                Ok(vec![SecretFact::SecretRemoved {
                    name: name.clone(),
                    by: by.clone(),
                }])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::seal::SealingKey;
    use super::*;
    use tidemill_protocol::secret::SecretValue;

    fn set(name: &Name, bytes: usize) -> SecretCommand {
        let value = SecretValue::new(vec![7; bytes]).unwrap();
        SecretCommand::Set {
            name: name.clone(),
            sealed: SealingKey::from_bytes(&[1; 32]).seal(name, &value).unwrap(),
            by: "ada".into(),
        }
    }

    fn carry_out(secrets: &mut Secrets, command: &SecretCommand) -> Result<(), SecretRejection> {
        for fact in secrets.decide(Timestamp(1), command)? {
            secrets.apply(Timestamp(1), &fact);
        }
        Ok(())
    }

    #[test]
    fn a_new_value_is_a_new_version_and_a_removed_secret_is_unknown() {
        let (mut secrets, name): (_, Name) = (Secrets::default(), "db".parse().unwrap());
        carry_out(&mut secrets, &set(&name, 10)).unwrap();
        carry_out(&mut secrets, &set(&name, 20)).unwrap();
        assert_eq!(secrets.get(&name).unwrap().version, 2);
        let remove = SecretCommand::Remove {
            name: name.clone(),
            by: "ada".into(),
        };
        carry_out(&mut secrets, &remove).unwrap();
        assert_eq!(secrets, Secrets::default());
        assert_eq!(
            carry_out(&mut secrets, &remove),
            Err(SecretRejection::Unknown(name))
        );
    }

    #[test]
    fn secrets_are_bounded_together_and_a_new_value_of_an_old_name_finds_room() {
        let mut secrets = Secrets::default();
        let name = |n: usize| format!("s{n}").parse::<Name>().unwrap();
        let mut refused = None;
        for n in 0..SECRETS_MAX {
            if let Err(rejection) = carry_out(&mut secrets, &set(&name(n), 64 * 1024)) {
                refused = Some(rejection);
                break;
            }
        }
        assert_eq!(refused, Some(SecretRejection::TooLarge));
        carry_out(&mut secrets, &set(&name(0), 64 * 1024)).unwrap();
        let mut secrets = Secrets::default();
        for n in 0..SECRETS_MAX {
            carry_out(&mut secrets, &set(&name(n), 6)).unwrap();
        }
        assert_eq!(
            carry_out(&mut secrets, &set(&name(SECRETS_MAX), 6)),
            Err(SecretRejection::TooMany)
        );
        carry_out(&mut secrets, &set(&name(1), 6)).unwrap();
    }
}
