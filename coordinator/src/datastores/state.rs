//! The datastores that are known, as their facts left them.

use super::fact::DatastoreFact;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Every datastore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datastores {
    stores: BTreeMap<Name, KeptDatastore>,
    /// Counts every change of any of them: a name that is defined anew has a revision that it never had.
    changes: u64,
}

/// A datastore as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDatastore {
    /// Where it is.
    pub definition: Datastore,
    /// Which change made it so.
    pub revision: u64,
    /// When it was defined so.
    pub set_at: Timestamp,
    /// Who defined it so.
    pub set_by: String,
}

impl Datastores {
    /// A datastore by its name.
    pub fn get(&self, name: &Name) -> Option<&KeptDatastore> {
        self.stores.get(name)
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = (&Name, &KeptDatastore)> {
        self.stores.iter()
    }

    /// Changes the state by one fact, which happened at this moment.
    pub fn apply(&mut self, at: Timestamp, fact: &DatastoreFact) {
        self.changes += 1;
        match fact {
            DatastoreFact::DatastoreSet { name, definition, by } => {
                let kept = KeptDatastore {
                    definition: definition.clone(),
                    revision: self.changes,
                    set_at: at,
                    set_by: by.clone(),
                };
                self.stores.insert(name.clone(), kept);
            }
            DatastoreFact::DatastoreRemoved { name, .. } => {
                self.stores.remove(name);
            }
        }
    }
}
