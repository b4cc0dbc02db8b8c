//! Datastores: named places outside the store in which pipelines' data lie; a ledger like the tokens'. Their definitions may change, so each has a revision; a plan
//! holds the address that a name meant when the pipeline was loaded.

mod decide;
mod fact;
mod need;
mod reach;
mod state;

pub use decide::{DATASTORES_MAX, DatastoreCommand, DatastoreRejection};
pub use fact::DatastoreFact;
pub(crate) use need::unlike;
pub(crate) use reach::{chain, reach, with_secrets};
pub use state::{Datastores, KeptDatastore};
