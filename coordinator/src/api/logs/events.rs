//! A log as server-sent events: whole lines, each event with the place where it ends as its id, until the attempt has ended. Where the bytes come from is the
//! tail's.

use super::lines::Lines;
use super::tail::{LogsQuery, Tail};
use crate::api::error::ApiError;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Serialize;
use std::io;
use std::str::FromStr;
use std::time::Duration;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::wire::LogStream;

/// How often a silent stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The name of the event with which a log ends.
const ENDED: &str = "ended";

/// One message of the stream.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it describes what the stream writes as text")]
pub(super) struct LogMessage {
    /// Where the event ends: `ATTEMPT:STREAM:OFFSET`. Whoever lost the stream sends it as `Last-Event-ID`.
    id: Option<String>,
    /// `ended` for the last message of a log, `refused` for the last one of a stream whose caller has lost the right to it; absent otherwise.
    event: Option<String>,
    /// JSON: the `attempt` (0 for a result that was taken over), the `stream`, the `offset` of the first byte and the `text`, one line or several with their ends, or a part of one longer than 64 KiB. For `ended` the `attempt`, the `stream`, and the
    /// `offset` after the last byte; for `refused` the error's body.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// What an event holds.
#[derive(Debug, Serialize)]
struct Told<'a> {
    attempt: u32,
    stream: LogStream,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// Where a stream that was lost had come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resumed {
    attempt: u32,
    stream: LogStream,
    offset: u64,
}

impl Resumed {
    /// What a caller says of it.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(last) = headers.get("last-event-id") else {
            return Ok(None);
        };
        let text = last.to_str().unwrap_or_default();
        let read = text.parse::<Self>();
        read.map(Some).map_err(|Unread| {
            let shown: String = text.chars().take(64).collect();
            let message = format!("`Last-Event-ID` is `{shown}`, which is the id of no event of a log");
            let hint = "give back the last id that was seen, such as 1:stdout:1024, or none to begin";
            ApiError::new(ErrorCode::BadRequest, message).hint(hint)
        })
    }

    /// Goes on there, unless another log is asked for.
    pub(super) fn go_on(self, query: &mut LogsQuery) {
        let is_same = query.stream.unwrap_or(LogStream::Stdout) == self.stream
            && query.attempt.is_none_or(|attempt| attempt == self.attempt);
        if is_same {
            query.offset = self.offset;
            // The log of a result that was taken over is no attempt's.
            query.attempt = Some(self.attempt).filter(|attempt| *attempt > 0);
        }
    }
}

/// It is no id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread;

impl FromStr for Resumed {
    type Err = Unread;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or(Unread);
        let (attempt, stream, offset) = (part()?, part()?, part()?);
        let stream = match stream {
            "stdout" => LogStream::Stdout,
            "stderr" => LogStream::Stderr,
            _ => return Err(Unread),
        };
        Ok(Self {
            attempt: attempt.parse().map_err(|_| Unread)?,
            stream,
            offset: offset.parse().map_err(|_| Unread)?,
        })
    }
}

/// A log on its way out as events.
struct Telling {
    tail: Tail,
    lines: Lines,
    stream: LogStream,
    is_over: bool,
    is_told: bool,
}

/// The log as events.
pub(super) fn answer(tail: Tail) -> Response {
    let telling = Telling {
        lines: Lines::from(tail.offset()),
        stream: tail.stream(),
        tail,
        is_over: false,
        is_told: false,
    };
    let events = stream::unfold(telling, |mut telling| async move {
        Some((telling.next().await?, telling))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response()
}

impl Telling {
    async fn next(&mut self) -> Option<io::Result<Event>> {
        loop {
            if let Some(piece) = self.lines.next(self.is_over) {
                return Some(Ok(self.event((piece.begin, piece.end), Some(&piece.text))));
            }
            if self.is_told {
                return None;
            }
            if self.is_over {
                self.is_told = true;
                let end = self.lines.end();
                return Some(Ok(self.event((end, end), None).event(ENDED)));
            }
            match self.tail.next().await {
                Some(Ok(bytes)) => self.lines.push(&bytes),
                // The stream breaks off, and whoever reads it comes back with the last id.
                Some(Err(error)) => {
                    self.is_told = true;
                    return Some(Err(error));
                }
                None if self.tail.is_whole() => self.is_over = true,
                // The coordinator stops: what waits for its line's end is told by the next one.
                None => return None,
            }
        }
    }

    fn event(&self, (begin, end): (u64, u64), text: Option<&str>) -> Event {
        let (attempt, stream) = (self.tail.attempt(), self.stream);
        let told = Told {
            attempt,
            stream,
            offset: begin,
            text,
        };
        let word = match stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        let event = Event::default().id(format!("{attempt}:{word}:{end}"));
        event.json_data(&told).expect("an event of a log is plain data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_attempt_stream_and_place_and_nothing_else_is_one() {
        let stderr = Resumed {
            attempt: 2,
            stream: LogStream::Stderr,
            offset: 1_024,
        };
        assert_eq!("2:stderr:1024".parse(), Ok(stderr));
        for text in [
            "",
            "2",
            "2:stdout",
            "2:log:1",
            "x:stdout:1",
            "2:stdout:-1",
            "2:stdout:1:1",
        ] {
            assert_eq!(text.parse::<Resumed>(), Err(Unread), "{text}");
        }
    }
}
