//! Inputs that lie in a datastore: brought by its own protocol, with the secrets that its definition names, for this attempt alone, since nobody knows whether they
//! are still what they were. Which places these are, an operator of the coordinator has said; which of them this machine goes to, its own settings say.

use std::collections::BTreeMap;
use std::path::Path;
use tidemill_artifacts::{Brought, FetchLimits, Guard, RemoteStore, StoreConfig, StoreError};
use tidemill_protocol::datastore::Datastore;
use tidemill_protocol::secret::GivenSecrets;

/// Where an input lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The datastore.
    pub store: &'a Datastore,
    /// The path below its root.
    pub path: &'a str,
    /// Whether one file is wanted, not a folder.
    pub is_file: bool,
}

/// Why an input was not brought.
#[derive(Debug)]
pub(super) enum Unbrought {
    /// A secret is missing, or cannot be an option.
    Secret(String),
    /// The store, or our own disk.
    Store(StoreError),
}

impl From<StoreError> for Unbrought {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Brings an input to `to`, which must not exist.
pub(super) async fn bring(
    place: Place<'_>,
    to: &Path,
    (limits, guard): (FetchLimits, &Guard),
    given: &GivenSecrets,
) -> Result<Brought, Unbrought> {
    let config = StoreConfig {
        url: place.store.url.clone(),
        options: options(place.store, given)?,
    };
    let remote = RemoteStore::open(&config, limits, Some(guard))?;
    let brought = if place.is_file {
        remote.bring_file(place.path, to).await
    } else {
        remote.bring_folder(place.path, to).await
    };
    Ok(brought?)
}

/// The options of the store, with the values of its secrets.
fn options(store: &Datastore, given: &GivenSecrets) -> Result<BTreeMap<String, String>, Unbrought> {
    let mut options = store.options.clone();
    for (option, secret) in &store.secrets {
        let Some(value) = given.0.get(secret) else {
            let why = format!("the coordinator did not give the secret `{secret}`");
            return Err(Unbrought::Secret(why));
        };
        let Ok(value) = std::str::from_utf8(value.reveal()) else {
            let why = format!("the secret `{secret}` is no text, which `{option}` has to be");
            return Err(Unbrought::Secret(why));
        };
        options.insert(option.clone(), value.to_owned());
    }
    Ok(options)
}
