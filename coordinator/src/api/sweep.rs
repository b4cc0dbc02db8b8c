//! The store's garbage: what nothing names any more is counted or deleted. A sweep may take hours, so its answer begins at once and is kept alive until it is there.

use super::error::ApiError;
use crate::garbage::{self, MarksError};
use crate::handle::CoordinatorHandle;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use std::time::Duration;
use tidemill_artifacts::{Marks, StoreError, SweepOptions, Swept};
use tidemill_protocol::api::{ErrorBody, ErrorCode, SweepRequest, SweepView};
use tidemill_protocol::time::Millis;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{MissedTickBehavior, interval};

/// What is younger stays, when nobody says otherwise.
const OLDER_THAN_USUAL: Millis = Millis::from_secs(7 * 24 * 3600);
/// The least that may be said: an upload is named by then, or is not going to be.
const OLDER_THAN_MIN: Millis = Millis::from_secs(3600);
/// How often a waiting client hears a sign of life: a line end, which JSON may begin with.
const SIGN_EVERY: Duration = Duration::from_secs(10);

/// Deletes what nothing names any more from the store, or says with `dry_run` what it would delete. Kept are the contents of all runs that are known, of attempts
/// under way, of everything that the catalog and the other ledgers name, whatever is younger than `older_than`, and the coordinator's own records.
#[utoipa::path(post, path = "/api/v1/artifacts/sweep", tag = "artifacts", security(("token" = ["operator"])), request_body = SweepRequest, responses(
    (status = 200, description = "What was found, and deleted unless it was a dry run. Begins at once with blank lines.", body = SweepView),
    (status = 400, description = "The time is too short.", body = ErrorBody),
    (status = 409, description = "A sweep is under way, or other coordinators keep records in this store.", body = ErrorBody),
    (status = 503, description = "The coordinator was started a short while ago: `retry-after` says when it may sweep.", body = ErrorBody),
))]
pub(super) async fn sweep(
    State(handle): State<CoordinatorHandle>,
    Json(request): Json<SweepRequest>,
) -> Result<Response, ApiError> {
    let grace = request.older_than.unwrap_or(OLDER_THAN_USUAL);
    if grace < OLDER_THAN_MIN {
        let message =
            "`older_than` is at least one hour: what an upload under way has stored is not named yet";
        return Err(ApiError::new(ErrorCode::BadRequest, message));
    }
    let Ok(alone) = handle.inner.sweeping.clone().try_lock_owned() else {
        return Err(ApiError::new(ErrorCode::Conflict, "a sweep is under way already"));
    };
    if !request.ignore_others {
        let others = garbage::others(&handle).await?;
        if !others.is_empty() {
            return Err(MarksError::Others(others.join(", ")).into());
        }
    }
    if !(request.dry_run || request.ignore_restart) {
        check_memory(handle.inner.store.spares_all_in().await)?;
    }
    let marks = garbage::marks(&handle).await?;
    let options = SweepOptions {
        now: handle.inner.clock.now(),
        grace,
        dry_run: request.dry_run,
    };
    let mut ticks = interval(SIGN_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let working = Box::pin(work(handle, marks, options, alone));
    let answer = stream::unfold(Some((working, ticks)), |state| async move {
        let (mut working, mut ticks) = state?;
        tokio::select! {
            answer = &mut working => Some((answer, None)),
            _ = ticks.tick() => Some((Bytes::from_static(b"\n"), Some((working, ticks)))),
        }
    });
    let answer = answer.map(Ok::<Bytes, std::convert::Infallible>);
    let headers = [(header::CONTENT_TYPE, "application/json")];
    Ok((headers, Body::from_stream(answer)).into_response())
}

/// Refuses to delete while clients may be about to name what they asked the process before this one for, until `known_in` has passed.
fn check_memory(known_in: Duration) -> Result<(), ApiError> {
    if known_in.is_zero() {
        return Ok(());
    }
    let minutes = known_in.as_secs().div_ceil(60);
    let message = format!(
        "the coordinator was started a short while ago and does not know yet what clients are about to use: it sweeps in {minutes} min"
    );
    let hint = "nobody submits anything? say so (`tidemill artifacts sweep --ignore-restart`); a dry run counts at any time";
    let wait = Millis::from_secs(minutes * 60);
    Err(ApiError::new(ErrorCode::Unavailable, message)
        .hint(hint)
        .retry_after(wait))
}

/// Sweeps; the answer is what came of it. Whoever leaves before ends the sweep: what is deleted by then was garbage.
async fn work(
    handle: CoordinatorHandle,
    marks: Marks,
    options: SweepOptions,
    alone: OwnedMutexGuard<()>,
) -> Bytes {
    let sweeping = handle.inner.store.sweep(&marks, &options);
    let swept = handle.inner.token.run_until_cancelled(sweeping).await;
    drop(alone);
    let view = view(&options, swept.unwrap_or(Err(StoreError::ShuttingDown)));
    if let Some(failed) = &view.failed {
        tracing::warn!(failed, "a sweep of the store did not come to its end");
    } else {
        tracing::info!(
            kept = view.kept,
            young = view.young,
            deleted = view.deleted,
            bytes = view.deleted_bytes,
            dry_run = view.dry_run,
            "swept the store"
        );
    }
    let text = serde_json::to_vec(&view).expect("numbers and texts can be written");
    text.into()
}

fn view(options: &SweepOptions, swept: Result<Swept, StoreError>) -> SweepView {
    let (swept, failed) = match swept {
        Ok(swept) => (swept, None),
        Err(error) => (Swept::default(), Some(chain(&error))),
    };
    SweepView {
        kept: swept.kept,
        young: swept.young,
        deleted: swept.deleted,
        deleted_bytes: swept.deleted_bytes,
        dry_run: options.dry_run,
        failed,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl From<MarksError> for ApiError {
    fn from(error: MarksError) -> Self {
        match error {
            MarksError::Stopped(stopped) => stopped.into(),
            MarksError::Store(error) => error.into(),
            MarksError::Ledgers(error) => Self::internal(&error),
            MarksError::Others(_) => Self::new(ErrorCode::Conflict, error.to_string())
                .hint("what they name would be deleted; where they are gone for good, say so (`tidemill artifacts sweep --ignore-others`)"),
        }
    }
}
