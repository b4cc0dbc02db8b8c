//! Answers in time or not at all: a coordinator that is cut off from its archive, or whose answers wait for it, says so instead of letting anybody wait without
//! end or take what may be out of date for what is so. It stands behind the gate, so that a change which is given up here is concluded in the audit log.

use super::error::ApiError;
use crate::access::Caller;
use crate::archive::{Asker, BEAT_EVERY, Hindrance, Reach};
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::future::Future;
use std::time::Duration;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::time::Millis;
use tokio::time::sleep;

/// Longest time until an answer begins.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
/// When to come back: the next sign of life may be a good one.
const RETRY_AFTER: Millis = Millis::from_secs(BEAT_EVERY.as_secs());
/// The header that says of a refusal that it is not known whether anything was done.
static OUTCOME: HeaderName = HeaderName::from_static("tidemill-outcome");
/// What is said of a change that was given up while it was under way.
const PERHAPS_DONE: &str = "it may still be carried out: look before you ask again, or send it again with the same `Idempotency-Key`";

/// Has a request answered by its handler, or says what that waits for.
pub(super) async fn answer(Extension(reach): Extension<Reach>, request: Request, next: Next) -> Response {
    let asker = asker(&request);
    if let Some(hindrance) = reach.lasting_hindrance(asker).await {
        return refusal(hindrance, None).into_response();
    }
    let is_question = matches!(*request.method(), Method::GET | Method::HEAD);
    let perhaps = (!is_question).then_some(PERHAPS_DONE);
    let response = tokio::select! {
        biased;
        response = next.run(request) => response,
        hindrance = reach.hindered_for_long(asker) => return given_up(refusal(hindrance, perhaps), perhaps),
        () = sleep(ANSWER_WITHIN) => return given_up(late(perhaps), perhaps),
    };
    if !is_question {
        return response;
    }
    match reach.lasting_hindrance(asker).await {
        // It was stopped on the way, for instance: what it found out may be long out of date.
        Some(hindrance @ Hindrance::Unsure(_)) => refusal(hindrance, None).into_response(),
        Some(Hindrance::Waiting(_)) | None => response,
    }
}

/// The same for a request that may take long by itself, such as an upload: once it has begun it is left alone.
pub(super) async fn begin(Extension(reach): Extension<Reach>, request: Request, next: Next) -> Response {
    match reach.lasting_hindrance(asker(&request)).await {
        Some(hindrance) => refusal(hindrance, None).into_response(),
        None => next.run(request).await,
    }
}

/// Waits for what is asked of the driver, unless something hinders the coordinator from answering.
pub(super) async fn unless_hindered<T>(
    handle: &CoordinatorHandle,
    asker: Asker,
    asked: impl Future<Output = Result<T, Stopped>>,
) -> Result<T, ApiError> {
    if let Some(hindrance) = handle.inner.reach.lasting_hindrance(asker).await {
        return Err(refusal(hindrance, None));
    }
    tokio::select! {
        biased;
        answer = asked => Ok(answer?),
        hindrance = handle.inner.reach.hindered_for_long(asker) => Err(refusal(hindrance, None)),
        () = sleep(ANSWER_WITHIN) => Err(late(None)),
    }
}

/// What is answered to a request that was under way. Of a change it says that nobody knows what came of it.
fn given_up(refusal: ApiError, perhaps: Option<&str>) -> Response {
    let mut response = refusal.into_response();
    if perhaps.is_some() {
        let unknown = HeaderValue::from_static("unknown");
        response.headers_mut().insert(OUTCOME.clone(), unknown);
    }
    response
}

fn asker(request: &Request) -> Asker {
    match request.extensions().get::<Caller>() {
        Some(Caller::Attempt { .. } | Caller::Worker { .. } | Caller::Joining { .. }) => Asker::Machine,
        Some(Caller::Operator | Caller::Local | Caller::Token { .. } | Caller::Nobody) | None => {
            Asker::Anybody
        }
    }
}

/// What hinders the coordinator, in words.
pub(super) fn words(hindrance: Hindrance) -> String {
    match hindrance {
        Hindrance::Unsure(since) => format!(
            "the object store with the archive was not reached for {} s, so another coordinator may have taken over: what is known here may be out of date",
            since.as_secs()
        ),
        Hindrance::Waiting(since) => format!(
            "answers wait for the object store: for {} s its archive has not taken what was accepted last",
            since.as_secs()
        ),
    }
}

fn refusal(hindrance: Hindrance, perhaps: Option<&str>) -> ApiError {
    let hint = perhaps.unwrap_or(match hindrance {
        Hindrance::Unsure(_) => {
            "ask the coordinator that is active, or come back when the store answers; steps that run go on meanwhile"
        }
        Hindrance::Waiting(_) => "come back when the store answers; steps that run go on meanwhile",
    });
    ApiError::new(ErrorCode::Unavailable, words(hindrance))
        .hint(hint)
        .retry_after(RETRY_AFTER)
}

fn late(perhaps: Option<&str>) -> ApiError {
    let message = format!(
        "no answer within {} s: the coordinator, its disk or its store is slow",
        ANSWER_WITHIN.as_secs()
    );
    ApiError::new(ErrorCode::Unavailable, message)
        .hint(perhaps.unwrap_or("ask again later; `/metrics` says what takes long"))
        .retry_after(RETRY_AFTER)
}
