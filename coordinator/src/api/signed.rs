//! Requests that a worker has signed with its own key: whose they are, that they are fresh, that they come once, and that they are whole. Only routes that declare
//! `("worker" = [])` in their description are reached by them.

use super::error::ApiError;
use crate::access::Caller;
use crate::handle::CoordinatorHandle;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::proof::{RequestProof, RequestText};
use tidemill_protocol::time::{Millis, Timestamp};

/// How far a worker's clock may be from ours, either way.
const CLOCK_WINDOW: Millis = Millis::from_secs(60);
/// Longest body of a signed request, which has to be read before it can be verified.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Who signed this request. Its body is read, verified and put back.
pub(super) async fn verify(
    handle: &CoordinatorHandle,
    request: &mut Request,
    proof: RequestProof,
) -> Result<Caller, ApiError> {
    let roster = &handle.inner.roster;
    let refuse = |message: &str| ApiError::new(ErrorCode::Unauthorized, message);
    let unknown = || {
        refuse("the request is not signed with the key of an enrolled worker")
            .hint("enrol it: `tidemill worker token create` here, `tidemill worker start --join FILE` there")
    };
    let key = roster.key_of(&proof.worker).ok_or_else(unknown)?;
    let now = handle.inner.clock.now();
    if apart(proof.at, now) > CLOCK_WINDOW {
        let message = format!(
            "the request was signed more than {} s before or after now",
            CLOCK_WINDOW.0 / 1_000
        );
        return Err(refuse(&message).hint("set the worker's clock, and the coordinator's, by NTP"));
    }
    if proof.at < handle.inner.view.started_at {
        // Whether it came before is known of this start only.
        return Err(refuse("the request was signed before this coordinator started").hint("sign it again"));
    }
    let body = whole_body(request).await?;
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let text = RequestText {
        coordinator: &handle.inner.key,
        method: request.method().as_str(),
        path,
        body: &body,
    };
    if !proof.is_of(&key, &text) {
        return Err(unknown());
    }
    *request.body_mut() = Body::from(body);
    if roster.is_quarantined(&proof.worker) {
        let message = format!("worker {} is quarantined", proof.worker);
        return Err(ApiError::new(ErrorCode::Forbidden, message)
            .hint("`tidemill worker list` says why; `tidemill worker release` ends it"));
    }
    let oldest = Timestamp(now.0.saturating_sub(CLOCK_WINDOW.0));
    if !handle.inner.guard.note_signed(&proof, oldest) {
        return Err(refuse(
            "the request came before, or too many came within a minute",
        ));
    }
    Ok(Caller::Worker { id: proof.worker })
}

fn apart(one: Timestamp, other: Timestamp) -> Millis {
    Millis(one.0.abs_diff(other.0))
}

async fn whole_body(request: &mut Request) -> Result<Bytes, ApiError> {
    let body = std::mem::take(request.body_mut());
    to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        let message = format!("a worker's request has at most {BODY_BYTES_MAX} bytes, and comes whole");
        ApiError::new(ErrorCode::TooLarge, message)
    })
}
