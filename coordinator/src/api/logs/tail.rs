//! A log on its way out: from the store when its attempt has ended, live from its worker while it runs. Who asked, and in which form they are answered, is not
//! known here.

use crate::driver::{DurableEvents, Sight};
use crate::handle::CoordinatorHandle;
use crate::logs::Following;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::Deserialize;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tidemill_artifacts::StoreError;
use tidemill_engine::Fact;
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
pub(in crate::api) struct LogsQuery {
    /// `stdout` or `stderr`; `stdout` when absent.
    pub(super) stream: Option<LogStream>,
    /// Which try; the last when absent.
    pub(super) attempt: Option<u32>,
    /// Whether to go on until the attempt has ended.
    #[serde(default)]
    pub(super) follow: bool,
    /// Bytes to leave out at the start.
    #[serde(default)]
    pub(super) offset: u64,
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
    /// With the attempt whose log it is, if it is one's.
    fn of(sight: &Sight<'_>, step: StepRef, query: LogsQuery) -> (Option<u32>, Self) {
        let run = sight.engine.run(step.run);
        let Some(state) = run.and_then(|run| run.step(step.step)) else {
            return (query.attempt, Self::Ended(None));
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
        let now = match attempt {
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
        };
        (attempt.map(|(number, _)| number), now)
    }
}

type Pieces = BoxStream<'static, Result<Bytes, StoreError>>;

/// A log on its way out.
pub(super) struct Tail {
    handle: CoordinatorHandle,
    step: StepRef,
    query: LogsQuery,
    /// The next byte to be sent.
    offset: u64,
    events: broadcast::Receiver<Arc<DurableEvents>>,
    live: Option<Following>,
    heard: Heard,
    /// The stored log with the place of its next piece.
    stored: Option<(Pieces, u64)>,
    ended: bool,
    /// Whether the attempt was seen to have ended, and all of its log is sent.
    is_whole: bool,
    missing: Missing,
}

/// How it stands with what is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It is heard as it comes.
    Well,
    /// The attempt may have ended: what is here already is still told.
    ToItsEnd,
    /// It has left bytes out, and is to be followed anew.
    WithGaps,
}

/// What is done when live bytes do not begin where the last ones ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// What is missing is left out.
    LeftOut,
    /// It is asked for once more, from here on.
    AskedFor(Option<u64>),
    /// It comes from the store, when the attempt has ended.
    Awaited,
}

impl Tail {
    /// The log of a step. `events` were subscribed before anybody looked for the step.
    pub(super) fn new(
        handle: CoordinatorHandle,
        step: StepRef,
        query: LogsQuery,
        events: broadcast::Receiver<Arc<DurableEvents>>,
    ) -> Self {
        Self {
            step,
            handle,
            query,
            offset: query.offset,
            events,
            live: None,
            heard: Heard::Well,
            stored: None,
            ended: false,
            is_whole: false,
            missing: Missing::LeftOut,
        }
    }

    /// The same without anything left out: what is missed on the way is waited for.
    pub(super) fn strict(self) -> Self {
        Self {
            missing: Missing::AskedFor(None),
            ..self
        }
    }

    /// Whether the attempt has ended and everything of its log was sent; otherwise the log only breaks off here.
    pub(super) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The next byte to be sent.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Which of the step's streams it is.
    pub(super) fn stream(&self) -> LogStream {
        self.query.stream.unwrap_or(LogStream::Stdout)
    }

    /// The attempt whose log it is; 0 when no attempt was seen, as for a result that was taken over.
    pub(super) fn attempt(&self) -> u32 {
        self.query.attempt.unwrap_or(0)
    }

    pub(super) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            if let Some((pieces, at)) = &mut self.stored {
                let piece = match pieces.next().await {
                    Some(Ok(piece)) => piece,
                    Some(Err(error)) => return Some(Err(io::Error::other(error))),
                    None => {
                        self.is_whole = true;
                        return None;
                    }
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
            if self.live.is_some() && self.heard != Heard::WithGaps {
                match self.hear().await {
                    Some(chunk) if self.is_missing_before(chunk.offset) => {}
                    Some(chunk) => {
                        if let Some(piece) = self.unsent(chunk.offset, &chunk.bytes.into()) {
                            return Some(Ok(piece));
                        }
                    }
                    None => (self.live, self.heard) = (None, Heard::Well),
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
        let (attempt, now) = now.map_err(io::Error::other)?;
        let is_begun = !matches!(now, Now::None);
        if is_begun && self.missing != Missing::LeftOut {
            // It stays the log of this attempt, whatever follows it.
            self.query.attempt = attempt;
        }
        match now {
            Now::Ended(Some(log)) => {
                let opened = self.handle.inner.store.get_stream(&log.digest).await;
                let (_, pieces) = opened.map_err(io::Error::other)?;
                self.stored = Some((pieces, 0));
            }
            Now::Ended(None) => (self.ended, self.is_whole) = (true, true),
            Now::Running(..) if self.missing == Missing::Awaited => {
                self.ended = !self.wait_for_change().await;
            }
            Now::Running(attempt, worker) => {
                // The new one before the old one goes: its worker goes on.
                let live = self.handle.inner.logs.follow(attempt, worker);
                match self.missing {
                    Missing::LeftOut => self.ended = live.is_none(),
                    _ if live.is_none() => self.missing = Missing::Awaited,
                    Missing::AskedFor(_) | Missing::Awaited => {}
                }
                self.live = live;
                self.heard = Heard::Well;
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
            if self.heard == Heard::ToItsEnd {
                let chunk = live.try_next()?;
                if chunk.stream == wanted {
                    return Some(chunk);
                }
                continue;
            }
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
                        self.heard = Heard::ToItsEnd;
                    }
                }
                () = tokio::time::sleep(QUIET), if !self.query.follow => {
                    self.ended = true;
                    return None;
                }
            }
        }
    }

    /// Whether bytes are missing before this place, which are then asked for. None is left out of a log in which each byte counts.
    fn is_missing_before(&mut self, begin: u64) -> bool {
        if begin <= self.offset || self.missing == Missing::LeftOut {
            return false;
        }
        if self.missing == Missing::AskedFor(Some(self.offset)) {
            // They were asked for already, and nobody has them but the worker, and then the store.
            self.missing = Missing::Awaited;
            self.live = None;
        } else {
            self.missing = Missing::AskedFor(Some(self.offset));
            self.heard = Heard::WithGaps;
        }
        true
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
