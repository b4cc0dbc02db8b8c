//! A log as it grows, until its attempt has ended. A stream that breaks off, or is silent for so long that it looks broken, is asked for again from
//! after the last byte that arrived.

use super::patience::Patience;
use super::{ByteStream, Client, LogRequest};
use crate::exit::Exit;
use crate::failure::Failure;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tidemill_protocol::api::StepView;
use tidemill_protocol::wire::LogStream;

/// Where the reader of one log is.
struct Tail {
    client: Client,
    run: String,
    step: String,
    stream: LogStream,
    /// The attempt that was asked for.
    asked: Option<u32>,
    /// The attempt that is read.
    attempt: u32,
    offset: u64,
    bytes: Option<ByteStream>,
    patience: Patience,
}

/// Follows a log. The step is looked at first, so a step that does not exist is a failure at once.
pub(super) async fn follow(client: &Client, request: &LogRequest<'_>) -> Result<ByteStream, Failure> {
    let step = client.step(request.run, request.step).await?;
    let newest = step.last_attempt().map(|attempt| attempt.attempt);
    let tail = Tail {
        client: client.clone(),
        run: request.run.to_owned(),
        step: request.step.to_owned(),
        stream: request.stream,
        asked: request.attempt.or(newest),
        // Before the first attempt, it is the first that the coordinator will send.
        attempt: request.attempt.or(newest).unwrap_or(1),
        offset: 0,
        bytes: None,
        patience: Patience::new(client.patience()),
    };
    let pieces = stream::try_unfold(tail, |mut tail| async move {
        let piece = tail.next().await?;
        Ok(piece.map(|piece| (piece, tail)))
    });
    Ok(pieces.boxed())
}

impl Tail {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let failure = match self.piece().await {
                Ok(Some(piece)) => return Ok(Some(piece)),
                Ok(None) => match self.client.step(&self.run, &self.step).await {
                    Ok(step) if self.is_over(&step) => return Ok(None),
                    // It answers, so the log goes on sooner or later: the attempt bounds this, not our patience.
                    Ok(_) => {
                        self.patience.met();
                        Failure::new(Exit::Unreachable, "the log broke off")
                    }
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if failure.exit != Exit::Unreachable {
                return Err(failure);
            }
            self.patience.wait(failure).await?;
        }
    }

    /// The next piece; none when the stream has ended.
    async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut bytes = match self.bytes.take() {
            Some(bytes) => bytes,
            None => self.open().await?,
        };
        let piece = bytes.next().await.transpose()?;
        if let Some(piece) = &piece {
            self.offset += piece.len() as u64;
            self.bytes = Some(bytes);
            self.patience.met();
        }
        Ok(piece)
    }

    async fn open(&mut self) -> Result<ByteStream, Failure> {
        let request = LogRequest {
            run: &self.run,
            step: &self.step,
            stream: self.stream,
            attempt: self.asked,
            follow: true,
        };
        self.client.log_bytes(&request, self.offset).await
    }

    /// Whether nothing can be added to the log that is read.
    fn is_over(&self, step: &StepView) -> bool {
        let attempt = step
            .attempts
            .iter()
            .find(|attempt| attempt.attempt == self.attempt);
        attempt.map_or_else(
            || step.status.is_terminal(),
            |attempt| attempt.status.is_terminal(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Query;
    use axum::routing::get;
    use futures_util::TryStreamExt;
    use serde_json::json;
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const WHOLE: &str = "one\ntwo\nthree\n";

    /// A coordinator that sends four bytes and breaks off, each time, until the whole log was sent.
    fn brittle(opened: Arc<AtomicUsize>) -> Client {
        let logs = move |Query(query): Query<HashMap<String, String>>| async move {
            opened.fetch_add(1, Ordering::Relaxed);
            let offset: usize = query.get("offset").map_or(0, |text| text.parse().unwrap());
            let rest: Bytes = Bytes::from_static(WHOLE.as_bytes()).slice(offset..);
            let piece = rest.slice(..rest.len().min(4));
            let broken = stream::iter([Ok(piece), Err(std::io::Error::other("gone"))]);
            if offset + 4 < WHOLE.len() {
                Body::from_stream(broken)
            } else {
                Body::from(rest)
            }
        };
        let step = || async {
            json!({
                "path": "s", "display_name": "s", "kind": "command", "target": "cpu", "status": "succeeded",
                "attempts": [{"attempt": 1, "status": "succeeded", "dispatched_at": 1}],
            })
            .to_string()
        };
        let router = Router::new()
            .route("/api/v1/runs/{run}/steps/{step}/logs", get(logs))
            .route("/api/v1/runs/{run}/steps/{step}", get(step));
        Client::in_process(router)
    }

    #[tokio::test(start_paused = true)]
    async fn every_byte_arrives_once_however_often_the_stream_breaks() {
        let opened = Arc::new(AtomicUsize::new(0));
        let client = brittle(Arc::clone(&opened));
        let request = LogRequest {
            run: "last",
            step: "s",
            stream: LogStream::Stdout,
            attempt: None,
            follow: true,
        };
        let bytes = follow(&client, &request).await.unwrap();
        let pieces: Vec<Bytes> = bytes.try_collect().await.unwrap();
        assert_eq!(pieces.concat(), WHOLE.as_bytes());
        assert_eq!(opened.load(Ordering::Relaxed), 4);
    }
}
