//! One try: signed and sent through the guard. The signature is HMAC-SHA256 over the moment and the body, so the receiver knows who sent it and that it is not an old
//! one. When it is tried again is not said here.

use super::decide::wanted;
use super::state::Webhooks;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::ledger::Ledgers;
use crate::notifications::{Channel, Occasion, Subscriptions, Telling, Try, Wanted};
use crate::secrets::KeyError;
use ring::hmac;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tidemill_artifacts::PostError;
use tidemill_protocol::delivery::DeliveryOutcome;
use tidemill_protocol::name::Name;
use tidemill_protocol::webhook::WebhookSpec;

/// Why something is not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// There is no such secret.
    #[error("the coordinator has no secret `{0}`")]
    NoSecret(Name),
    /// The key that opens secrets is gone.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The secret cannot be opened.
    #[error("the secret `{0}` cannot be opened")]
    Sealed(Name),
    /// The address does not take it.
    #[error(transparent)]
    Post(#[from] PostError),
    /// The coordinator ends.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Channel for WebhookSpec {
    type Ledger = Webhooks;
    type Progress = ();
    const KIND: &'static str = "webhook";

    fn subscriptions(ledgers: &Ledgers) -> &Subscriptions<Self> {
        &ledgers.webhooks
    }

    fn wanted(&self) -> Wanted<'_> {
        wanted(self)
    }

    async fn tell(handle: &CoordinatorHandle, telling: &Telling<Self>, (): &mut ()) -> Result<Try, Stopped> {
        let body = body(&telling.occasion);
        match send(handle, &telling.spec, &telling.id, body).await {
            Ok(status @ 200..=299) => Ok(Try::Settled(DeliveryOutcome::Delivered { status })),
            Ok(status) => Ok(Try::Again(format!("it answered {status}"))),
            Err(SendError::Stopped(stopped)) => Err(stopped),
            Err(error) => Ok(Try::Again(error.to_string())),
        }
    }
}

/// What is told of an end.
fn body(occasion: &Occasion) -> Value {
    let mut body = json!({"event": "run_ended", "run": occasion.run});
    if let Some(step) = occasion.step.as_ref().filter(|_| occasion.is_step) {
        let failure = step.failure.as_ref().map(|failure| failure.reason.describe());
        body["event"] = json!("step_ended");
        body["step"] = json!({"path": step.path, "status": step.status, "failure": failure});
    }
    body
}

/// Tries a webhook once, with a body that says so.
pub(crate) async fn test(
    handle: &CoordinatorHandle,
    name: &Name,
    spec: &WebhookSpec,
) -> Result<u16, SendError> {
    let body = json!({"event": "test", "webhook": name});
    send(handle, spec, &format!("{name}-test"), body).await
}

async fn send(
    handle: &CoordinatorHandle,
    spec: &WebhookSpec,
    id: &str,
    mut body: Value,
) -> Result<u16, SendError> {
    let secret = spec.secret.clone();
    let wanted = secret.clone();
    let looking = handle.look(move |sight| {
        let found = sight.ledgers.secrets.get(&wanted);
        found.map(|secret| secret.sealed.clone())
    });
    let sealed = looking
        .await?
        .ok_or_else(|| SendError::NoSecret(secret.clone()))?;
    let key = handle.inner.secrets_key.load()?;
    let value = key
        .open(&secret, &sealed)
        .map_err(|_| SendError::Sealed(secret))?;
    body["id"] = json!(id);
    let body = body.to_string().into_bytes();
    let seconds = (handle.inner.clock.now().0 / 1_000).to_string();
    let headers = [
        ("x-tidemill-delivery", id.to_owned()),
        (
            "x-tidemill-signature",
            format!("sha256={}", sign(value.reveal(), &seconds, &body)),
        ),
        ("x-tidemill-timestamp", seconds),
    ];
    Ok(handle.inner.poster.post(&spec.url, &headers, body).await?)
}

/// The signature of `SECONDS.BODY`, in hexadecimal digits.
fn sign(secret: &[u8], seconds: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(seconds.as_bytes());
    context.update(b".");
    context.update(body);
    let tag = context.sign();
    tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a text takes what is written");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_anybody_else_would_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret-key
        let signed = sign(b"secret-key", "1700000000", b"{\"a\":1}");
        assert_eq!(
            signed,
            "7311449d99aa882d3471459eab2f09da94fb15f2c1c678f4367531554cf36a96"
        );
    }
}
