//! Sends a running attempt's log as it grows, while somebody follows it, with its secrets covered. A courtesy: nothing waits for it and anything of it may be
//! lost; the whole log is stored when the attempt ends.

use crate::attempt::Status;
use crate::logs::Growing;
use crate::secrets::{Cover, Redaction};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::codec;
use tidemill_protocol::wire::{Kind, LogChunk, LogStream, SignerKey, seal_as_worker};
use tidemill_transport::{Broker, Queue};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Most bytes of one message.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// How often it is looked for growth.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where pieces of logs go, and with what they are signed.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    pub broker: Arc<dyn Broker>,
    pub key: SignerKey,
}

/// An attempt whose log is followed.
#[derive(Debug)]
pub(crate) struct Following {
    ended: CancellationToken,
    task: AbortHandle,
}

impl Following {
    /// Begins to send both streams from their beginnings.
    pub(crate) fn begin(followers: &mut JoinSet<()>, sink: Sink, status: Arc<Status>) -> Self {
        let ended = CancellationToken::new();
        let task = followers.spawn(follow(sink, status, ended.clone()));
        Self { ended, task }
    }

    /// The attempt has ended: what it has written is still sent.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }

    /// Nobody follows any more. What was held back, because it could be the beginning of a secret, is never sent: its end may be written later.
    pub(crate) fn leave(&self) {
        self.task.abort();
    }
}

/// One stream of an attempt.
struct Follower {
    stream: LogStream,
    source: Growing,
    /// How far it was read.
    read_to: u64,
    /// Covers its secrets, once it is known what they are.
    cover: Option<Cover>,
    /// What may be sent, and the place of its first byte in what is shown of the stream.
    shown: Vec<u8>,
    sent_to: u64,
}

/// Sends both streams until the attempt has ended.
async fn follow(sink: Sink, status: Arc<Status>, ended: CancellationToken) {
    status.follow();
    let mut followers = [LogStream::Stdout, LogStream::Stderr].map(|stream| Follower::new(stream, &status));
    loop {
        let is_last = ended.is_cancelled();
        for follower in &mut followers {
            // Not sent: the same bytes are tried again at the next look.
            while follower.send(&sink, &status).await && follower.read(&status) {}
            if is_last {
                follower.finish();
                follower.send(&sink, &status).await;
            }
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = ended.cancelled() => {}
        }
    }
}

impl Follower {
    fn new(stream: LogStream, status: &Status) -> Self {
        Self {
            stream,
            source: Growing::new(status.stream(stream)),
            read_to: 0,
            cover: None,
            shown: Vec::new(),
            sent_to: 0,
        }
    }

    /// Reads the next piece; false when there is none, or nobody knows what of it may be shown.
    fn read(&mut self, status: &Status) -> bool {
        let piece = self.source.piece(self.read_to, CHUNK_BYTES_MAX);
        let Ok((offset, bytes)) = piece else { return false };
        if bytes.is_empty() {
            return false;
        }
        let gap = offset - self.read_to;
        match status.secrets.redaction() {
            Redaction::Unknown => return false,
            Redaction::Nothing => self.shown.extend_from_slice(&bytes),
            Redaction::Of(redactor) => {
                if gap > 0 {
                    self.cover = Some(redactor.cover_from_the_middle());
                }
                let cover = self.cover.get_or_insert_with(|| redactor.cover());
                cover.push(&bytes, &mut self.shown);
            }
        }
        // What was given back to the file system is missing here as there.
        self.sent_to += gap;
        self.read_to = offset + bytes.len() as u64;
        true
    }

    /// Shows what was held back because it could have been the beginning of a secret.
    fn finish(&mut self) {
        if let Some(cover) = self.cover.take() {
            cover.finish(&mut self.shown);
        }
    }

    /// Sends what may be shown; false when the broker does not take it.
    async fn send(&mut self, sink: &Sink, status: &Status) -> bool {
        while !self.shown.is_empty() {
            let length = self.shown.len().min(CHUNK_BYTES_MAX);
            let chunk = LogChunk {
                attempt: status.attempt(),
                stream: self.stream,
                offset: self.sent_to,
                bytes: self.shown.get(..length).unwrap_or_default().to_vec(),
            };
            let body = codec::encode(&chunk);
            let Ok(sealed) = seal_as_worker(&sink.key, Kind::Log, &body) else {
                return false;
            };
            let sent = sink.broker.publish(&Queue::Logs, Bytes::from(sealed)).await;
            if sent.is_err() {
                return false;
            }
            self.shown.drain(..length);
            self.sent_to += length as u64;
        }
        true
    }
}
