//! From where a worker has the secrets of its attempts. The coordinator keeps them; whether it is in this process or far away is not the worker's business.

use async_trait::async_trait;
use std::fmt::Debug;
use tidemill_protocol::secret::{GivenSecrets, SecretsRequest};

/// The way to the coordinator's secrets.
#[async_trait]
pub trait SecretSource: Debug + Send + Sync {
    /// Asks once for the secrets of an attempt that this worker has claimed.
    async fn ask(&self, request: SecretsRequest) -> Result<GivenSecrets, AskError>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It is worth asking again: the coordinator does not answer, or has not heard of the claim yet.
    #[error("{0}")]
    Later(String),
    /// A secret does not exist, or cannot be given as the step wants it: asking again changes nothing.
    #[error("{0}")]
    Missing(String),
    /// This worker may not have them: another one makes the attempt, or nobody knows this one.
    #[error("{0}")]
    Refused(String),
}
