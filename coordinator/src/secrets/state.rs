//! The secrets that are known: the newest value of each name, sealed. Changed by facts only, so the journal brings them back as they were.

use super::fact::SecretFact;
use super::seal::Sealed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Every secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    secrets: BTreeMap<Name, Secret>,
}

/// A secret as it is kept: sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Counts the values of this name from 1.
    pub version: u64,
    /// The newest value.
    pub sealed: Sealed,
    /// When it was given.
    pub set_at: Timestamp,
    /// Who gave it.
    pub set_by: String,
}

impl Secrets {
    /// A secret by its name.
    pub fn get(&self, name: &Name) -> Option<&Secret> {
        self.secrets.get(name)
    }

    /// All secrets, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &Secret)> {
        self.secrets.iter()
    }

    /// Bytes of all values together.
    pub fn bytes(&self) -> usize {
        self.secrets.values().map(|secret| secret.sealed.len()).sum()
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &SecretFact) {
        match fact {
            SecretFact::SecretSet {
                name,
                version,
                sealed,
                by,
            } => {
                let secret = Secret {
                    version: *version,
                    sealed: sealed.clone(),
                    set_at: at,
                    set_by: by.clone(),
                };
                self.secrets.insert(name.clone(), secret);
            }
            SecretFact::SecretRemoved { name, .. } => {
                self.secrets.remove(name);
            }
        }
    }
}
