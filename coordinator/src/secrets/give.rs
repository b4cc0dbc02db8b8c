//! Giving: a worker asks for the secrets of the attempt that it makes, and is given those that the plan of its step names, and nothing else. Nobody else is
//! ever given a value.

use super::key::{KeyError, KeyFile};
use super::need::wanted_by;
use super::seal::{OpenError, Sealed};
use crate::driver::Sight;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use std::collections::BTreeSet;
use tidemill_protocol::ids::{AttemptId, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::secret::{GivenSecrets, STEP_SECRETS_BYTES_MAX, SecretsRequest};
use tidemill_protocol::status::AttemptStatus;

/// Why a worker is not given the secrets that it asks for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GiveError {
    /// Its claim is on its way: it should ask again.
    #[error("the claim of attempt {0} has not arrived yet")]
    NotYet(AttemptId),
    /// The attempt is over, is not known, has another token, or is another worker's.
    #[error("attempt {0} is not in the hands of this worker")]
    NotHeld(AttemptId),
    /// Somebody removed a secret since the run was submitted.
    #[error("the coordinator has no secret `{0}`")]
    Missing(Name),
    /// The values are more than a step may have.
    #[error("the secrets of one step have more than {} KiB together", STEP_SECRETS_BYTES_MAX / 1024)]
    TooLarge,
    /// Without the key no value can be opened.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A value cannot be opened.
    #[error("the secret `{name}` cannot be opened: {why}")]
    Sealed {
        /// Which.
        name: Name,
        /// Why not.
        why: OpenError,
    },
    /// The coordinator ends.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl CoordinatorHandle {
    /// The secrets of an attempt that this worker makes. Whoever calls this vouches for the worker's name.
    pub async fn give_secrets(
        &self,
        worker: WorkerId,
        request: SecretsRequest,
    ) -> Result<GivenSecrets, GiveError> {
        let sealed = self
            .look(move |sight| sealed_for(sight, &worker, &request))
            .await??;
        open_all(&self.inner.secrets_key, sealed)
    }
}

impl CoordinatorHandle {
    /// The values of secrets that this process itself needs; they go no further.
    pub(crate) async fn open_secrets(&self, names: BTreeSet<Name>) -> Result<GivenSecrets, GiveError> {
        if names.is_empty() {
            return Ok(GivenSecrets::default());
        }
        let looked = self.look(move |sight| {
            let sealed = names.into_iter().map(|name| {
                let found = sight
                    .ledgers
                    .secrets
                    .get(&name)
                    .map(|secret| secret.sealed.clone());
                found
                    .map(|sealed| (name.clone(), sealed))
                    .ok_or(GiveError::Missing(name))
            });
            sealed.collect::<Result<Vec<_>, _>>()
        });
        open_all(&self.inner.secrets_key, looked.await??)
    }
}

/// The sealed values that the attempt is to be given.
fn sealed_for(
    sight: &Sight<'_>,
    worker: &WorkerId,
    request: &SecretsRequest,
) -> Result<Vec<(Name, Sealed)>, GiveError> {
    let id = request.attempt;
    let not_held = || GiveError::NotHeld(id);
    let run = sight.engine.run(id.run).ok_or_else(not_held)?;
    let step = run.step(id.step).ok_or_else(not_held)?;
    let (number, attempt) = step.last_attempt().ok_or_else(not_held)?;
    if number != id.attempt || attempt.token() != request.token {
        return Err(not_held());
    }
    match (attempt.status(), attempt.worker()) {
        (AttemptStatus::Running, Some(holder)) if holder == worker => {}
        (AttemptStatus::Dispatched, _) => return Err(GiveError::NotYet(id)),
        _ => return Err(not_held()),
    }
    let template = run.template(id.step).ok_or_else(not_held)?;
    let names: BTreeSet<&Name> = wanted_by(template).map(|(_, name)| name).collect();
    let sealed = |name: &Name| {
        let found = sight.ledgers.secrets.get(name);
        found
            .map(|secret| (name.clone(), secret.sealed.clone()))
            .ok_or_else(|| GiveError::Missing(name.clone()))
    };
    names.into_iter().map(sealed).collect()
}

fn open_all(file: &KeyFile, sealed: Vec<(Name, Sealed)>) -> Result<GivenSecrets, GiveError> {
    let key = file.load()?;
    let mut given = GivenSecrets::default();
    let mut bytes = 0;
    for (name, sealed) in sealed {
        let value = key.open(&name, &sealed).map_err(|why| GiveError::Sealed {
            name: name.clone(),
            why,
        })?;
        bytes += value.reveal().len();
        given.0.insert(name, value);
    }
    if bytes > STEP_SECRETS_BYTES_MAX {
        return Err(GiveError::TooLarge);
    }
    Ok(given)
}
