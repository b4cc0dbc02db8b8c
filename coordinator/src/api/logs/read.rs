//! Which log is asked for, and in which form.

use super::events::{self, LogMessage, Resumed};
use super::tail::{LogsQuery, Tail};
use crate::api::error::ApiError;
use crate::api::select;
use crate::handle::CoordinatorHandle;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tidemill_protocol::api::{ErrorBody, ErrorCode};
use tidemill_protocol::ids::StepRef;

/// Reads a log. With `Accept: text/event-stream` as server-sent events of whole lines until the attempt has ended, whose ids (`ATTEMPT:STREAM:OFFSET`) say where each one ends: whoever gives the last one back as `Last-Event-ID` goes on exactly there. The last event is
/// named `ended`, or `refused` when the caller's right has ended before.
#[utoipa::path(get, path = "/api/v1/runs/{run}/steps/{step}/logs", tag = "steps", security(("token" = ["reader"])),
    params(("run" = String, Path), ("step" = String, Path), LogsQuery,
        ("Last-Event-ID" = Option<String>, Header, pattern = "^[0-9]{1,9}:(stdout|stderr):[0-9]{1,18}$", description = "The id of the last event that was seen; it counts more than `offset`. One of another attempt or stream than the query names is left aside."),
    ), responses(
    (status = 200, description = "The bytes, or events.", content(
        (String = "application/octet-stream"), (LogMessage = "text/event-stream"),
    )),
    (status = 404, description = "There is no such step or attempt.", body = ErrorBody),
))]
pub(in crate::api) async fn read(
    State(handle): State<CoordinatorHandle>,
    Path((run, step)): Path<(String, String)>,
    Query(mut query): Query<LogsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wants_events = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if wants_events {
        query.follow = true;
        if let Some(last) = Resumed::of(&headers)? {
            last.go_on(&mut query);
        }
    }
    let events = handle.inner.events.subscribe();
    let looked = handle.look(move |sight| {
        let run = select::run(sight, &run)?;
        let step = StepRef {
            run: run.id(),
            step: select::step(run, &step)?,
        };
        // One that is there and that nobody has claimed is waited for.
        let attempts = run.step(step.step).map_or(0, |state| state.attempts().len());
        let is_there = |number| (1..=attempts).contains(&(number as usize));
        if !query.attempt.is_none_or(is_there) {
            return Err(ApiError::new(ErrorCode::NotFound, "there is no such attempt"));
        }
        Ok(step)
    });
    let tail = Tail::new(handle.clone(), looked.await??, query, events);
    if wants_events {
        return Ok(events::answer(tail.strict()));
    }
    let pieces = stream::unfold(tail, |mut tail| async move { Some((tail.next().await?, tail)) });
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, Body::from_stream(pieces)).into_response())
}
