//! One delivery: signed, sent through the guard, tried again with ever longer pauses, given up at last. The signature is HMAC-SHA256 over the moment and the body, so
//! the receiver knows who sent it and that it is not an old one.

use super::state::Webhook;
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use crate::secrets::KeyError;
use ring::hmac;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use tidemill_artifacts::PostError;
use tidemill_protocol::name::Name;
use tidemill_protocol::webhook::DeliveryOutcome;

/// The pauses between the tries; after the last, a delivery is given up.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
];
/// Longest reason that is kept, in characters.
const WHY_CHARS_MAX: usize = 500;

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

/// Sends until it is taken or given up; says how often it was tried.
pub(super) async fn deliver(
    handle: &CoordinatorHandle,
    name: &Name,
    webhook: &Webhook,
    (sequence, body): (u64, Value),
) -> Result<(u32, DeliveryOutcome), Stopped> {
    let mut tries = 0;
    loop {
        tries += 1;
        let id = format!("{name}-{sequence}");
        let why = match send(handle, webhook, &id, &body).await {
            Ok(status @ 200..=299) => return Ok((tries, DeliveryOutcome::Delivered { status })),
            Ok(status) => format!("it answered {status}"),
            Err(SendError::Stopped(stopped)) => return Err(stopped),
            Err(error) => error.to_string(),
        };
        let Some(pause) = PAUSES.get(tries as usize - 1) else {
            let why = why.chars().take(WHY_CHARS_MAX).collect();
            return Ok((tries, DeliveryOutcome::GivenUp { why }));
        };
        tracing::info!(webhook = %name, sequence, why, "a webhook was not taken; trying again");
        tokio::select! {
            () = handle.inner.token.cancelled() => return Err(Stopped),
            () = tokio::time::sleep(*pause) => {}
        }
    }
}

/// Tries a webhook once, with a body that says so.
pub(crate) async fn test(
    handle: &CoordinatorHandle,
    name: &Name,
    webhook: &Webhook,
) -> Result<u16, SendError> {
    let body = json!({"event": "test", "webhook": name});
    send(handle, webhook, &format!("{name}-test"), &body).await
}

async fn send(
    handle: &CoordinatorHandle,
    webhook: &Webhook,
    id: &str,
    body: &Value,
) -> Result<u16, SendError> {
    let secret = webhook.spec.secret.clone();
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
    let mut body = body.clone();
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
    Ok(handle
        .inner
        .poster
        .post(&webhook.spec.url, &headers, body)
        .await?)
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
