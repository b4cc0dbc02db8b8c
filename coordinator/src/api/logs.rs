//! What a step wrote: from the store when its attempt has ended, live from its worker while it runs.

use super::error::ApiError;
use super::select;
use crate::driver::{DurableEvents, Sight};
use crate::handle::CoordinatorHandle;
use crate::logs::Following;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tidemill_artifacts::StoreError;
use tidemill_engine::Fact;
use tidemill_protocol::api::{ErrorBody, ErrorCode};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::{AttemptId, StepRef, WorkerId};
use tidemill_protocol::wire::{AttemptUsage, LogChunk, LogStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// How long a look at a running attempt's log waits for more before it ends.
const QUIET: Duration = Duration::from_millis(500);

/// Which log, from where.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct LogsQuery {
    /// `stdout` or `stderr`; `stdout` when absent.
    stream: Option<LogStream>,
    /// Which try; the last when absent.
    attempt: Option<u32>,
    /// Whether to go on until the attempt has ended.
    #[serde(default)]
    follow: bool,
    /// Bytes to leave out at the start.
    #[serde(default)]
    offset: u64,
}

/// Reads a log.
#[utoipa::path(get, path = "/api/v1/runs/{run}/steps/{step}/logs", tag = "steps", security(("token" = ["reader"])),
    params(("run" = String, Path), ("step" = String, Path), LogsQuery), responses(
    (status = 200, description = "The bytes.", content_type = "application/octet-stream"),
    (status = 404, description = "There is no such step or attempt.", body = ErrorBody),
))]
pub(super) async fn read(
    State(handle): State<CoordinatorHandle>,
    Path((run, step)): Path<(String, String)>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, ApiError> {
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
    let tail = Tail {
        step: looked.await??,
        handle,
        query,
        offset: query.offset,
        events,
        live: None,
        stored: None,
        ended: false,
    };
    let pieces = stream::unfold(tail, |mut tail| async move { Some((tail.next().await?, tail)) });
    let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((kind, Body::from_stream(pieces)).into_response())
}

/// Where the log is now.
enum Now {
    /// Nowhere yet.
    None,
    /// Being written.
    Running(AttemptId, WorkerId),
    /// In the store, if there was any output.
    Ended(Option<ArtifactRef>),
}

impl Now {
    fn of(sight: &Sight<'_>, step: StepRef, query: LogsQuery) -> Self {
        let Some(run) = sight.engine.run(step.run) else {
            return Self::Ended(None);
        };
        let Some(state) = run.step(step.step) else {
            return Self::Ended(None);
        };
        let choose = |usage: &AttemptUsage| match query.stream.unwrap_or(LogStream::Stdout) {
            LogStream::Stdout => usage.stdout,
            LogStream::Stderr => usage.stderr,
        };
        let number = query
            .attempt
            .or_else(|| state.last_attempt().map(|(number, _)| number));
        let attempt =
            number.and_then(|number| Some((number, state.attempts().get(number.checked_sub(1)? as usize)?)));
        match attempt {
            None if state.status().is_terminal() && query.attempt.is_none() => {
                // A reused step shows what the step wrote whose result it took over.
                Self::Ended(state.result().and_then(|result| choose(&result.usage)))
            }
            None => Self::None,
            Some((_, attempt)) if attempt.end().is_some() => Self::Ended(attempt.usage().and_then(choose)),
            Some((number, attempt)) => match attempt.worker() {
                None => Self::None,
                Some(worker) => Self::Running(
                    AttemptId {
                        run: step.run,
                        step: step.step,
                        attempt: number,
                    },
                    worker.clone(),
                ),
            },
        }
    }
}

type Pieces = BoxStream<'static, Result<Bytes, StoreError>>;

/// A log on its way out.
struct Tail {
    handle: CoordinatorHandle,
    step: StepRef,
    query: LogsQuery,
    /// The next byte to be sent.
    offset: u64,
    events: broadcast::Receiver<Arc<DurableEvents>>,
    live: Option<Following>,
    /// The stored log with the place of its next piece.
    stored: Option<(Pieces, u64)>,
    ended: bool,
}

impl Tail {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some((pieces, at)) = &mut self.stored {
                let piece = match pieces.next().await? {
                    Ok(piece) => piece,
                    Err(error) => return Some(Err(io::Error::other(error))),
                };
                let begin = *at;
                *at += piece.len() as u64;
                if let Some(piece) = self.unsent(begin, &piece) {
                    return Some(Ok(piece));
                }
                continue;
            }
            if self.ended {
                return None;
            }
            if self.live.is_some() {
                match self.hear().await {
                    Some(chunk) => {
                        if let Some(piece) = self.unsent(chunk.offset, &chunk.bytes.into()) {
                            return Some(Ok(piece));
                        }
                    }
                    None => self.live = None,
                }
                continue;
            }
            if let Err(error) = self.look().await {
                return Some(Err(error));
            }
        }
    }

    /// Finds out where the log is now, and turns there.
    async fn look(&mut self) -> io::Result<()> {
        let (step, query) = (self.step, self.query);
        let now = self.handle.look(move |sight| Now::of(sight, step, query)).await;
        match now.map_err(io::Error::other)? {
            Now::Ended(Some(log)) => {
                let opened = self.handle.inner.store.get_stream(&log.digest).await;
                let (_, pieces) = opened.map_err(io::Error::other)?;
                self.stored = Some((pieces, 0));
            }
            Now::Ended(None) => self.ended = true,
            Now::Running(attempt, worker) => {
                self.live = self.handle.inner.logs.follow(attempt, worker);
                self.ended = self.live.is_none();
            }
            Now::None if self.query.follow => self.ended = !self.wait_for_change().await,
            Now::None => self.ended = true,
        }
        Ok(())
    }

    /// The next chunk of this stream; none when the attempt may have ended, or when nobody waits for more.
    async fn hear(&mut self) -> Option<LogChunk> {
        let wanted = self.query.stream.unwrap_or(LogStream::Stdout);
        loop {
            let live = self.live.as_mut()?;
            let token = self.handle.inner.token.clone();
            tokio::select! {
                biased;
                () = token.cancelled() => {
                    self.ended = true;
                    return None;
                }
                chunk = live.next() => {
                    if let Some(chunk) = chunk.filter(|chunk| chunk.stream == wanted) {
                        return Some(chunk);
                    }
                }
                ended = ended(&mut self.events, self.step) => {
                    if ended {
                        return live.try_next().filter(|chunk| chunk.stream == wanted);
                    }
                }
                () = tokio::time::sleep(QUIET), if !self.query.follow => {
                    self.ended = true;
                    return None;
                }
            }
        }
    }

    /// Waits until something happened to the step; false when the coordinator stops.
    async fn wait_for_change(&mut self) -> bool {
        let token = self.handle.inner.token.clone();
        loop {
            tokio::select! {
                () = token.cancelled() => return false,
                heard = self.events.recv() => match heard {
                    Ok(batch) => {
                        if batch.events.iter().any(|event| is_about(&event.fact, self.step)) {
                            return true;
                        }
                    }
                    Err(RecvError::Lagged(_)) => return true,
                    Err(RecvError::Closed) => return false,
                },
            }
        }
    }

    /// The part of a piece that was not sent yet.
    fn unsent(&mut self, begin: u64, piece: &Bytes) -> Option<Bytes> {
        let end = begin + piece.len() as u64;
        if end <= self.offset {
            return None;
        }
        let sent = usize::try_from(self.offset.saturating_sub(begin)).expect("less than the piece's length");
        self.offset = end;
        Some(piece.slice(sent..))
    }
}

/// Waits for the next durable batch; whether it may have ended the step's attempt.
async fn ended(events: &mut broadcast::Receiver<Arc<DurableEvents>>, step: StepRef) -> bool {
    match events.recv().await {
        Ok(batch) => batch.events.iter().any(|event| {
            is_about(&event.fact, step)
                && !matches!(
                    event.fact,
                    Fact::AttemptClaimed { .. }
                        | Fact::AttemptDispatched { .. }
                        | Fact::AttemptResumed { .. }
                )
        }),
        Err(_) => true,
    }
}

fn is_about(fact: &Fact, of: StepRef) -> bool {
    match fact {
        Fact::AttemptDispatched { attempt, .. }
        | Fact::AttemptClaimed { attempt, .. }
        | Fact::AttemptSucceeded { attempt, .. }
        | Fact::AttemptFailed { attempt, .. }
        | Fact::AttemptReturned { attempt, .. }
        | Fact::AttemptPreempted { attempt, .. }
        | Fact::AttemptStopped { attempt, .. } => attempt.step_ref() == of,
        Fact::StepReused { step, .. }
        | Fact::StepSkipped { step, .. }
        | Fact::StepEnded { step, .. }
        | Fact::StepFailed { step, .. }
        | Fact::StepRetryDue { step } => *step == of,
        _ => false,
    }
}
