//! Secrets, from the command that keeps one to the worker that is given its value: a ledger of sealed values, the key that seals them, what a plan needs of them,
//! and who may have which. The key lies in a file of its own and never in the journal, so whoever has the journal or its archive has no value.

mod decide;
mod fact;
mod give;
mod key;
mod need;
mod seal;
mod state;

pub use decide::{SECRETS_MAX, SecretCommand, SecretRejection};
pub use fact::SecretFact;
pub use give::GiveError;
pub(crate) use key::KeyFile;
pub use key::{KEY_FILE, KeyError};
pub(crate) use need::{missing, names_any};
pub(crate) use seal::SealingKey;
pub use seal::{OpenError, Sealed};
pub use state::{Secret, Secrets};
