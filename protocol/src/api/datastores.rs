//! Datastores over REST: named places outside the store. What they are is in [`crate::datastore`].

use crate::datastore::{Datastore, DatastoreKind};
use crate::name::Name;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A datastore. Its credentials are names of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatastoreView {
    /// Its name.
    pub name: Name,
    /// What kind of place it is.
    pub kind: DatastoreKind,
    /// Where it is, and how one gets in.
    pub definition: Datastore,
    /// Which change made it so; also the answer's `ETag`.
    pub revision: u64,
    /// When it was defined so.
    pub set_at: Timestamp,
    /// Who defined it so.
    pub set_by: String,
}

/// What came of asking a datastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DatastoreTestView {
    /// Its name.
    pub name: Name,
    /// Whether it can be read from the coordinator's machine.
    pub is_reached: bool,
    /// What was found, or why nothing was.
    pub message: String,
}
