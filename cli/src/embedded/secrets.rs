//! The secrets of steps where worker and coordinator are one process: asked for by a call.

use async_trait::async_trait;
use std::sync::OnceLock;
use tidemill_coordinator::CoordinatorHandle;
use tidemill_coordinator::secrets::GiveError;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::secret::{GivenSecrets, SecretsRequest};
use tidemill_worker::{AskError, SecretSource};

/// The coordinator of this process, as its worker sees it.
#[derive(Debug)]
pub(super) struct OwnSecrets {
    coordinator: CoordinatorHandle,
    worker: OnceLock<WorkerId>,
}

impl OwnSecrets {
    /// The secrets of this coordinator.
    pub(super) fn new(coordinator: CoordinatorHandle) -> Self {
        Self {
            coordinator,
            worker: OnceLock::new(),
        }
    }

    /// Says which worker asks, once it has its name.
    pub(super) fn belongs_to(&self, worker: WorkerId) {
        self.worker.set(worker).ok();
    }
}

#[async_trait]
impl SecretSource for OwnSecrets {
    async fn ask(&self, request: SecretsRequest) -> Result<GivenSecrets, AskError> {
        let Some(worker) = self.worker.get() else {
            return Err(AskError::Later("the worker is only just starting".into()));
        };
        let given = self.coordinator.give_secrets(worker.clone(), request).await;
        given.map_err(|error| match &error {
            GiveError::NotYet(_) | GiveError::Stopped(_) => AskError::Later(error.to_string()),
            GiveError::NotHeld(_) => AskError::Refused(error.to_string()),
            _ => AskError::Missing(error.to_string()),
        })
    }
}
