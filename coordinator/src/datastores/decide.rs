//! What may be asked of the datastores, and which facts follow, or why none do. Asking twice for the same changes nothing and is no error.

use super::fact::DatastoreFact;
use super::state::Datastores;
use crate::ledger::{Ledger, Ledgers};
use tidemill_protocol::datastore::{Datastore, DatastoreError};
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// Datastores at once.
pub const DATASTORES_MAX: usize = 1_000;

/// What may be asked of a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatastoreCommand {
    /// Its name.
    pub name: Name,
    /// The revision that the caller has seen, 0 for none; nothing is done when it has another by now.
    pub expect: Option<u64>,
    /// Who asks.
    pub by: String,
    /// Where it is to be; none to remove it.
    pub definition: Option<Datastore>,
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatastoreRejection {
    /// No such datastore.
    #[error("there is no datastore `{0}`")]
    Unknown(Name),
    /// It changed since the caller looked.
    #[error("the datastore has revision {found} by now, not {expected}")]
    Changed {
        /// What the caller had seen.
        expected: u64,
        /// What it is.
        found: u64,
    },
    /// The definition is none.
    #[error(transparent)]
    Bad(#[from] DatastoreError),
    /// All the places are taken.
    #[error("there are {DATASTORES_MAX} datastores already")]
    TooMany,
}

impl Ledger for Datastores {
    type Command = DatastoreCommand;
    type Fact = DatastoreFact;
    type Rejection = DatastoreRejection;

    fn of(ledgers: &Ledgers) -> &Self {
        &ledgers.datastores
    }

    fn decide(
        &self,
        _now: Timestamp,
        command: &DatastoreCommand,
    ) -> Result<Vec<DatastoreFact>, DatastoreRejection> {
        let DatastoreCommand {
            name,
            expect,
            by,
            definition,
        } = command;
        let known = self.get(name);
        let found = known.map_or(0, |known| known.revision);
        if let Some(expected) = expect.filter(|expected| *expected != found) {
            return Err(DatastoreRejection::Changed { expected, found });
        }
        let (name, by) = (name.clone(), by.clone());
        let Some(definition) = definition else {
            known.ok_or_else(|| DatastoreRejection::Unknown(name.clone()))?;
            return Ok(vec![DatastoreFact::DatastoreRemoved { name, by }]);
        };
        definition.check()?;
        if known.is_none() && self.all().len() >= DATASTORES_MAX {
            return Err(DatastoreRejection::TooMany);
        }
        if known.is_some_and(|known| known.definition == *definition) {
            return Ok(Vec::new());
        }
        let definition = definition.clone();
        Ok(vec![DatastoreFact::DatastoreSet { name, definition, by }])
    }
}
