//! What happens in a run, as it happens: server-sent events that can be resumed, or a list. Old events come from the journal, new ones from the driver; the journal
//! also helps a watcher that fell behind.

use super::error::ApiError;
use super::select;
use crate::driver::DurableEvents;
use crate::entry::Entry;
use crate::handle::CoordinatorHandle;
use crate::journal::{EventReader, JournalError};
use crate::ledger::LedgerEvent;
use crate::views::History;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tidemill_engine::Event;
use tidemill_protocol::api::{ErrorBody, EventView};
use tidemill_protocol::ids::RunId;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Events read from the journal at once.
const READ_EVENTS: usize = 4_096;
/// Longest list; a longer history is read in pieces by `after`.
const LIST_MAX: usize = 10_000;
/// How often a silent stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where to begin.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct EventsQuery {
    /// Only events with a larger sequence number; the `Last-Event-ID` header says the same.
    after: Option<u64>,
}

/// One message of the stream.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what the stream writes as text")]
struct EventMessage {
    /// The event's sequence number. Whoever lost the stream sends it as `Last-Event-ID`.
    id: Option<String>,
    /// `refused` for the last message of a stream whose caller has lost the right to it; absent otherwise.
    event: Option<String>,
    /// The event, an `EventView` written as JSON; for `refused`, the error's body.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Watches a run: server-sent events whose ids are sequence numbers, until the run has ended, or with a last one named `refused` until the caller's right has. With `Accept: application/json`, a list of what has happened so far.
#[utoipa::path(get, path = "/api/v1/runs/{run}/events", tag = "runs", security(("token" = ["reader"])), params(("run" = String, Path), EventsQuery), responses(
    (status = 200, description = "The events.", content(
        (EventMessage = "text/event-stream"), (Vec<EventView> = "application/json"),
    )),
    (status = 404, description = "There is no such run.", body = ErrorBody),
))]
pub(super) async fn watch(
    State(handle): State<CoordinatorHandle>,
    Path(run): Path<String>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last_seen = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let after = query.after.or(last_seen).unwrap_or(0);
    // Before the look: nothing may fall between what is read and what is heard.
    let live = handle.inner.events.subscribe();
    let (run, began) = handle
        .look(move |sight| {
            let run = select::run(sight, &run)?.id();
            Ok::<_, ApiError>((run, sight.began.get(&run).copied().unwrap_or(1)))
        })
        .await??;
    let mut watch = Watch {
        handle: handle.clone(),
        run,
        history: History::new(run),
        next: began,
        after,
        live,
        journal: Arc::clone(&handle.inner.journal),
        ready: VecDeque::new(),
        caught_up: false,
        is_over: false,
        ended: false,
        token: handle.inner.token.clone(),
    };
    let wants_list = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    if wants_list {
        return Ok(Json(watch.list().await?).into_response());
    }
    let events = stream::unfold(watch, |mut watch| async move {
        let view = watch.next().await?;
        let event = SseEvent::default().id(view.sequence.to_string()).json_data(&view);
        let event = event.expect("an event view is plain data");
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response())
}

struct Watch {
    handle: CoordinatorHandle,
    run: RunId,
    history: History,
    /// The next sequence number to be looked at.
    next: u64,
    after: u64,
    live: broadcast::Receiver<Arc<DurableEvents>>,
    journal: Arc<dyn EventReader>,
    ready: VecDeque<EventView>,
    caught_up: bool,
    /// Whether the run was seen to have ended, whatever is left of its events.
    is_over: bool,
    ended: bool,
    token: CancellationToken,
}

impl Watch {
    async fn next(&mut self) -> Option<EventView> {
        loop {
            if let Some(view) = self.ready.pop_front() {
                return Some(view);
            }
            if self.ended {
                return None;
            }
            if !self.caught_up {
                // The stream ends, and the client comes back with the last id it saw.
                self.read_on()
                    .await
                    .inspect_err(|error| tracing::warn!(%error, "a watcher cannot read"))
                    .ok()?;
                continue;
            }
            tokio::select! {
                () = self.token.cancelled() => return None,
                heard = self.live.recv() => match heard {
                    Ok(batch) if batch.first > self.next => self.caught_up = false,
                    Ok(batch) => {
                        for (sequence, event) in (batch.first..).zip(&batch.events) {
                            self.observe(sequence, event);
                        }
                        let after = batch.first + batch.events.len() as u64;
                        for (sequence, event) in (after..).zip(&batch.ledgers) {
                            self.observe_ledger(sequence, event);
                        }
                        self.next = self.next.max(batch.next);
                        self.ended = self.history.status().is_terminal();
                    }
                    Err(RecvError::Lagged(_)) => self.caught_up = false,
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }

    async fn list(&mut self) -> Result<Vec<EventView>, ApiError> {
        while !self.caught_up && self.ready.len() < LIST_MAX {
            self.read_on().await.map_err(|error| ApiError::internal(&error))?;
        }
        self.ready.truncate(LIST_MAX);
        Ok(std::mem::take(&mut self.ready).into())
    }

    /// Reads a piece of the journal.
    async fn read_on(&mut self) -> Result<(), JournalError> {
        let (journal, from) = (Arc::clone(&self.journal), self.next);
        let read = tokio::task::spawn_blocking(move || {
            let entries = journal
                .read(from, READ_EVENTS)?
                .into_iter()
                .map(|(sequence, bytes)| {
                    let entry = Entry::decode(&bytes);
                    Ok((
                        sequence,
                        entry.map_err(|source| JournalError::Unreadable { sequence, source })?,
                    ))
                });
            entries.collect::<Result<Vec<_>, JournalError>>()
        });
        let entries = match read.await {
            Ok(entries) => entries?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        if entries.is_empty() {
            self.ended = self.is_over || self.history.status().is_terminal();
            if !self.ended {
                self.is_over = self.is_run_over().await;
            }
            // What is over has said its last words before this was asked: one more look at the journal finds them, or they are there no more.
            self.caught_up = !self.is_over || self.ended;
        }
        for (sequence, entry) in entries {
            match entry {
                Entry::Engine(event) => self.observe(sequence, &event),
                Entry::Ledger(event) => self.observe_ledger(sequence, &event),
            }
        }
        Ok(())
    }

    /// Whether the run has ended or is forgotten. The journal may not say so any more: what a snapshot holds is pruned from it.
    async fn is_run_over(&self) -> bool {
        let run = self.run;
        let looking = self.handle.look(move |sight| {
            let run = sight.engine.run(run);
            run.is_none_or(|run| run.status().is_terminal())
        });
        looking.await.unwrap_or(true)
    }

    fn observe(&mut self, sequence: u64, event: &Event) {
        if sequence < self.next {
            return;
        }
        self.next = sequence + 1;
        let view = self.history.observe(sequence, event);
        self.ready.extend(view.filter(|view| view.sequence > self.after));
    }

    fn observe_ledger(&mut self, sequence: u64, event: &LedgerEvent) {
        if sequence < self.next {
            return;
        }
        self.next = sequence + 1;
        let view = self.history.observe_ledger(sequence, event);
        self.ready.extend(view.filter(|view| view.sequence > self.after));
    }
}
