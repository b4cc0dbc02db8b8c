//! Sends a running attempt's log as it grows, while somebody follows it. A courtesy: nothing waits for it and anything of it may be lost; the whole log is
//! stored when the attempt ends.

use crate::attempt::Status;
use crate::logs;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::codec;
use tidemill_protocol::wire::{Kind, LogChunk, LogStream, SignerKey, seal_as_worker};
use tidemill_transport::{Broker, Queue};
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

/// Sends both streams from their beginnings until the token is cancelled; what was written by then is still sent.
pub(crate) async fn follow(sink: Sink, status: Arc<Status>, ended: CancellationToken) {
    let mut offsets = [(LogStream::Stdout, 0), (LogStream::Stderr, 0)];
    loop {
        let is_last = ended.is_cancelled();
        for (stream, offset) in &mut offsets {
            while let Some(sent_to) = send_piece(&sink, &status, *stream, *offset).await {
                *offset = sent_to;
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

/// Sends the next piece of a stream; answers where it ended, or none when there is none or it could not be sent.
async fn send_piece(sink: &Sink, status: &Status, stream: LogStream, offset: u64) -> Option<u64> {
    let (offset, bytes) = logs::piece(status.stream(stream), offset, CHUNK_BYTES_MAX).ok()?;
    if bytes.is_empty() {
        return None;
    }
    let end = offset + bytes.len() as u64;
    let chunk = LogChunk {
        attempt: status.attempt(),
        stream,
        offset,
        bytes,
    };
    let sealed = seal_as_worker(&sink.key, Kind::Log, &codec::encode(&chunk)).ok()?;
    // Not sent: the same piece is tried again at the next look.
    let sent = sink.broker.publish(&Queue::Logs, Bytes::from(sealed)).await;
    sent.ok()?;
    Some(end)
}
