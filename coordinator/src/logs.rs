//! Live logs: who follows which attempt, and the bytes on their way to them. A worker sends an attempt's log only while somebody follows it; what a slow
//! follower cannot take is dropped for that follower, who reads it from the store when the attempt has ended.

use crate::effects::Outgoing;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tidemill_protocol::ids::{AttemptId, WorkerId};
use tidemill_protocol::wire::{Control, LogChunk};
use tokio::sync::{mpsc, watch};

/// Chunks that may wait for one follower, each at most 64 KiB.
const CHUNKS_MAX: usize = 64;
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
    by_attempt: HashMap<AttemptId, HashMap<u64, mpsc::Sender<LogChunk>>>,
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
            followers
                .by_attempt
                .entry(attempt)
                .or_default()
                .insert(number, sender);
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
        let followers = self.followers();
        for sender in followers
            .by_attempt
            .get(&chunk.attempt)
            .into_iter()
            .flat_map(HashMap::values)
        {
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
        let last = {
            let mut followers = self.hub.followers();
            let left = followers.by_attempt.get_mut(&self.attempt).map_or(0, |senders| {
                senders.remove(&self.number);
                senders.len()
            });
            if left == 0 {
                followers.by_attempt.remove(&self.attempt);
            }
            left == 0
        };
        self.hub.shared.count.send_modify(|count| *count -= 1);
        if last {
            self.tell_worker(false);
        }
    }
}
