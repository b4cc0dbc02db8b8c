//! What happened to datastores: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::name::Name;

/// What happened to a datastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatastoreFact {
    /// A name got a definition, in place of the one that it had.
    DatastoreSet {
        /// The name.
        name: Name,
        /// Where it is from now on.
        definition: Datastore,
        /// Who defined it.
        by: String,
    },
    /// A datastore was removed.
    DatastoreRemoved {
        /// The name.
        name: Name,
        /// Who removed it.
        by: String,
    },
}
