//! Live logs: who follows which attempt, and the bytes on their way to them. A worker sends an attempt's log only while somebody follows it, and from its
//! beginning for the first one only; the last of it is kept for those who come later or come back. What a slow follower cannot take is dropped for that
//! follower, who reads it from the store when the attempt has ended.

use crate::effects::Outgoing;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tidemill_protocol::ids::{AttemptId, WorkerId};
use tidemill_protocol::wire::{Control, LogChunk, LogStream};
use tokio::sync::{mpsc, watch};

/// Chunks that may wait for one follower, each at most 64 KiB.
const CHUNKS_MAX: usize = 64;
/// Longest chunk of what is kept.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// What is kept of each stream that is followed.
const KEPT_BYTES_MAX: usize = 256 * 1024;
/// What is kept of all of them together.
const KEPT_BYTES_MAX_TOTAL: usize = 16 * 1024 * 1024;
/// Followers at once, over all attempts.
const FOLLOWERS_MAX: usize = 1_000;

/// The meeting place of log bytes and those who follow them.
#[derive(Debug, Clone)]
pub(crate) struct LogHub {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    followers: Mutex<Followers>,
    count: watch::Sender<usize>,
    outgoing: mpsc::Sender<Outgoing>,
}

#[derive(Debug, Default)]
struct Followers {
    next: u64,
    by_attempt: HashMap<AttemptId, Followed>,
    kept_bytes: usize,
}

/// An attempt that somebody follows.
#[derive(Debug, Default)]
struct Followed {
    senders: HashMap<u64, mpsc::Sender<LogChunk>>,
    kept: BTreeMap<LogStream, Kept>,
}

/// The last that was heard of a stream, without a gap.
#[derive(Debug, Default)]
struct Kept {
    /// The place of the first byte.
    begin: u64,
    bytes: Vec<u8>,
}

impl Kept {
    /// Takes a chunk in.
    fn push(&mut self, chunk: &LogChunk) {
        let end = self.begin + self.bytes.len() as u64;
        if chunk.offset > end || self.bytes.is_empty() {
            self.begin = chunk.offset;
            self.bytes.clone_from(&chunk.bytes);
        } else {
            // A worker that begins anew says again what is known.
            let known = usize::try_from(end - chunk.offset).unwrap_or(usize::MAX);
            let more = chunk.bytes.get(known..).unwrap_or_default();
            self.bytes.extend_from_slice(more);
        }
        let surplus = self.bytes.len().saturating_sub(KEPT_BYTES_MAX);
        self.bytes.drain(..surplus);
        self.begin += surplus as u64;
    }

    fn chunks(&self, attempt: AttemptId, stream: LogStream) -> impl Iterator<Item = LogChunk> {
        let pieces = self.bytes.chunks(CHUNK_BYTES_MAX);
        let offsets = (self.begin..).step_by(CHUNK_BYTES_MAX);
        offsets.zip(pieces).map(move |(offset, bytes)| LogChunk {
            attempt,
            stream,
            offset,
            bytes: bytes.to_vec(),
        })
    }
}

impl Followers {
    /// Keeps a chunk of an attempt that is followed, as long as there is room for it.
    fn keep(&mut self, chunk: &LogChunk) {
        let Some(followed) = self.by_attempt.get_mut(&chunk.attempt) else {
            return;
        };
        let kept = followed.kept.entry(chunk.stream).or_default();
        let before = kept.bytes.len();
        kept.push(chunk);
        self.kept_bytes = self.kept_bytes - before + kept.bytes.len();
        if self.kept_bytes > KEPT_BYTES_MAX_TOTAL {
            self.kept_bytes -= kept.bytes.len();
            *kept = Kept::default();
        }
    }

    /// Forgets a follower; whether it was the last one of its attempt.
    fn leave(&mut self, attempt: AttemptId, number: u64) -> bool {
        let Some(followed) = self.by_attempt.get_mut(&attempt) else {
            return true;
        };
        followed.senders.remove(&number);
        let is_last = followed.senders.is_empty();
        if is_last {
            let kept = followed.kept.values().map(|kept| kept.bytes.len());
            self.kept_bytes -= kept.sum::<usize>();
            self.by_attempt.remove(&attempt);
        }
        is_last
    }
}

/// Follows the log of one attempt; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Following {
    hub: LogHub,
    attempt: AttemptId,
    worker: WorkerId,
    number: u64,
    chunks: mpsc::Receiver<LogChunk>,
}

impl LogHub {
    pub(crate) fn new(outgoing: mpsc::Sender<Outgoing>) -> Self {
        let shared = Shared {
            followers: Mutex::default(),
            count: watch::Sender::new(0),
            outgoing,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// How many follow, as it changes.
    pub(crate) fn followed(&self) -> watch::Receiver<usize> {
        self.shared.count.subscribe()
    }

    /// Begins to follow an attempt that this worker makes; none when too many follow already.
    pub(crate) fn follow(&self, attempt: AttemptId, worker: WorkerId) -> Option<Following> {
        let (sender, chunks) = mpsc::channel(CHUNKS_MAX);
        let number = {
            let mut followers = self.followers();
            if *self.shared.count.borrow() >= FOLLOWERS_MAX {
                return None;
            }
            followers.next += 1;
            let number = followers.next;
            let followed = followers.by_attempt.entry(attempt).or_default();
            for (stream, kept) in &followed.kept {
                for chunk in kept.chunks(attempt, *stream) {
                    drop(sender.try_send(chunk));
                }
            }
            followed.senders.insert(number, sender);
            self.shared.count.send_modify(|count| *count += 1);
            number
        };
        let following = Following {
            hub: self.clone(),
            attempt,
            worker,
            number,
            chunks,
        };
        following.tell_worker(true);
        Some(following)
    }

    /// Hands a chunk to everybody who follows its attempt.
    pub(crate) fn deliver(&self, chunk: &LogChunk) {
        let mut followers = self.followers();
        followers.keep(chunk);
        let followed = followers.by_attempt.get(&chunk.attempt).into_iter();
        for sender in followed.flat_map(|followed| followed.senders.values()) {
            // A full channel means a slow reader: the chunk's offset will show the gap.
            drop(sender.try_send(chunk.clone()));
        }
    }

    fn followers(&self) -> std::sync::MutexGuard<'_, Followers> {
        self.shared
            .followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Following {
    /// The next chunk. Never ends by itself: the caller knows when the attempt has ended.
    pub(crate) async fn next(&mut self) -> Option<LogChunk> {
        self.chunks.recv().await
    }

    /// A chunk that is here already.
    pub(crate) fn try_next(&mut self) -> Option<LogChunk> {
        self.chunks.try_recv().ok()
    }

    fn tell_worker(&self, follow: bool) {
        let control = Control::FollowLog {
            attempt: self.attempt,
            follow,
        };
        let message = Outgoing::Control(self.worker.clone(), control);
        // Without room the follower sees the log when the attempt has ended.
        drop(self.hub.shared.outgoing.try_send(message));
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let last = self.hub.followers().leave(self.attempt, self.number);
        self.hub.shared.count.send_modify(|count| *count -= 1);
        if last {
            self.tell_worker(false);
        }
    }
}
