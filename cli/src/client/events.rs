//! The stream of a run's events: server-sent events, read as they arrive. Only what the coordinator sends is understood: `event`, `data`, `id` and
//! comments.

use super::{ByteStream, refusal};
use crate::exit::Exit;
use crate::failure::{Context, Failure};
use axum::http::StatusCode;
use futures_util::StreamExt;
use tidemill_protocol::api::EventView;

/// Longest event; one that is longer is no event of ours.
const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The name of the last event for somebody who may see no more. Events of a run have none.
const REFUSED: &[u8] = b"refused";

/// Events of one run as they happen.
pub(crate) struct EventStream {
    bytes: ByteStream,
    pending: Vec<u8>,
    read: usize,
    name: Vec<u8>,
    data: Vec<u8>,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventStream({} bytes pending)", self.pending.len() - self.read)
    }
}

impl EventStream {
    /// Reads events from this answer.
    pub(super) fn new(bytes: ByteStream) -> Self {
        Self {
            bytes,
            pending: Vec::new(),
            read: 0,
            name: Vec::new(),
            data: Vec::new(),
        }
    }

    /// The next event; none when the stream has ended. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Result<Option<EventView>, Failure> {
        loop {
            if let Some(event) = self.take()? {
                return Ok(Some(event));
            }
            if self.pending.len() - self.read + self.name.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err(Failure::new(
                    Exit::Failure,
                    "the coordinator sent an event larger than 1 MiB",
                ));
            }
            match self.bytes.next().await {
                None => return Ok(None),
                Some(chunk) => {
                    self.pending.drain(..self.read);
                    self.read = 0;
                    self.pending.extend_from_slice(&chunk?);
                }
            }
        }
    }

    /// An event that has arrived whole.
    fn take(&mut self) -> Result<Option<EventView>, Failure> {
        while let Some(length) = self.pending[self.read..].iter().position(|byte| *byte == b'\n') {
            let line = &self.pending[self.read..self.read + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.read += length + 1;
            if line.is_empty() {
                let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
                if name == REFUSED {
                    return Err(refusal::read(StatusCode::UNAUTHORIZED, &data));
                }
                if data.is_empty() || !name.is_empty() {
                    continue;
                }
                let event = serde_json::from_slice(&data);
                return event
                    .map(Some)
                    .context(|| "the coordinator sent an event that this version does not understand");
            }
            let (field, value) = match line.iter().position(|byte| *byte == b':') {
                Some(colon) => (&line[..colon], &line[colon + 1..]),
                None => (line, &[][..]),
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match field {
                b"data" => self.data.extend_from_slice(value),
                b"event" => value.clone_into(&mut self.name),
                _ => {}
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use futures_util::stream;

    fn event(sequence: u64) -> String {
        let run = "01890000-0000-7000-8000-000000000000";
        format!(
            r#"{{"sequence":{sequence},"at":1,"run":"{run}","event":"run_submitted","run_status":"queued"}}"#
        )
    }

    async fn sequences(pieces: Vec<Vec<u8>>) -> Vec<u64> {
        let pieces = pieces.into_iter().map(|piece| Ok(Bytes::from(piece)));
        let mut events = EventStream::new(stream::iter(pieces).boxed());
        let mut found = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            found.push(event.sequence);
        }
        found
    }

    #[tokio::test]
    async fn events_arrive_however_the_bytes_are_cut() {
        let text = format!(
            ": hello\n\nid: 1\ndata: {}\n\ndata:{}\r\n\r\n",
            event(1),
            event(2)
        );
        assert_eq!(sequences(vec![text.clone().into_bytes()]).await, [1, 2]);
        let single = text.bytes().map(|byte| vec![byte]).collect();
        assert_eq!(sequences(single).await, [1, 2]);
    }

    #[tokio::test]
    async fn a_stream_that_is_ended_for_somebody_says_why_and_events_of_later_versions_are_passed_over() {
        let text = format!(
            "event: moon\ndata: full\n\ndata: {}\n\nevent: refused\ndata: {}\n\n",
            event(1),
            r#"{"code":"unauthorized","message":"the token was revoked","request_id":""}"#
        );
        let pieces = stream::iter([Ok(Bytes::from(text))]);
        let mut events = EventStream::new(pieces.boxed());
        assert_eq!(events.next().await.unwrap().unwrap().sequence, 1);
        let failure = events.next().await.unwrap_err();
        assert_eq!(
            (failure.exit, failure.what.as_str()),
            (Exit::Denied, "the token was revoked")
        );
    }

    #[tokio::test]
    async fn half_an_event_at_the_end_is_not_an_event() {
        let text = format!("data: {}\n\ndata: {{\"seq", event(7));
        assert_eq!(sequences(vec![text.into_bytes()]).await, [7]);
    }
}
