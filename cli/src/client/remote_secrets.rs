//! The secrets of steps where the coordinator is elsewhere: asked for over its API, in the worker's own name, each request signed with the worker's key.

use super::transport::Payload;
use super::{Client, collect};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plaintext::is_readable_on_the_way;
use crate::settings::Settings;
use async_trait::async_trait;
use axum::http::Method;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill_protocol::api::routes;
use tidemill_protocol::proof::{RequestProof, RequestText};
use tidemill_protocol::secret::{GivenSecrets, STEP_SECRETS_BYTES_MAX, SecretsRequest};
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::TrustedKey;
use tidemill_worker::{AskError, Identity, SecretSource, SystemClock};

/// Longest answer: the values, and the names beside them.
const ANSWER_BYTES_MAX: usize = STEP_SECRETS_BYTES_MAX + 16 * 1024;

/// A coordinator elsewhere, as one of its workers sees it.
#[derive(Debug)]
pub(crate) struct RemoteSecrets {
    client: Client,
    /// Why nothing may be asked at this address.
    forbidden: Option<String>,
    coordinator: TrustedKey,
    identity: Identity,
    clock: SystemClock,
    nonce: AtomicU64,
}

impl RemoteSecrets {
    /// The secrets of the coordinator with this key at the address of the settings; none when there is no address.
    pub(crate) fn of(
        settings: &Settings,
        identity: &Identity,
        coordinator: TrustedKey,
        clock: SystemClock,
    ) -> Result<Option<Self>, Failure> {
        let Some(url) = &settings.url else {
            return Ok(None);
        };
        let readable = is_readable_on_the_way(url);
        let forbidden = readable.then(|| {
            format!("{url} is not encrypted, and secrets travel to other machines over TLS only: give this worker the coordinator's https:// address")
        });
        Ok(Some(Self {
            // No token: the signature says who asks.
            client: Client::http(url, settings.url_origin(), None, settings.api_ca.as_deref())?,
            forbidden,
            coordinator,
            identity: identity.clone(),
            clock,
            nonce: AtomicU64::new(0),
        }))
    }

    async fn send(&self, request: &SecretsRequest) -> Result<Vec<u8>, Failure> {
        let body = super::to_json(request)?;
        let text = RequestText {
            coordinator: &self.coordinator,
            method: "POST",
            path: routes::WORKER_SECRETS,
            body: &body,
        };
        let nonce = self.nonce.fetch_add(1, Ordering::Relaxed);
        let (key, id) = (&self.identity.key, self.identity.id.clone());
        let proof = RequestProof::sign(key, id, self.clock.now(), nonce, &text);
        let payload = Payload::Signed(body, proof.to_string());
        let answer = self
            .client
            .transport
            .send(Method::POST, routes::WORKER_SECRETS, payload);
        collect(answer.await?, ANSWER_BYTES_MAX).await
    }
}

#[async_trait]
impl SecretSource for RemoteSecrets {
    async fn ask(&self, request: SecretsRequest) -> Result<GivenSecrets, AskError> {
        if let Some(why) = &self.forbidden {
            return Err(AskError::Refused(why.clone()));
        }
        let answer = self.send(&request).await.map_err(|failure| {
            let why = in_words(&failure);
            match failure.exit {
                Exit::Denied => AskError::Refused(why),
                Exit::Conflict | Exit::NotFound => AskError::Missing(why),
                _ => AskError::Later(why),
            }
        })?;
        GivenSecrets::from_bytes(&answer).map_err(|error| AskError::Later(error.to_string()))
    }
}

/// What a failure says, in one line for the attempt's record.
fn in_words(failure: &Failure) -> String {
    let causes = failure.causes.iter().map(String::as_str);
    std::iter::once(failure.what.as_str())
        .chain(causes)
        .collect::<Vec<_>>()
        .join(": ")
}
