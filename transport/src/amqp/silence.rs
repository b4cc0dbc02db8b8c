//! Queues that are there and serve nobody. A quorum queue whose node was killed just after it was made can come back without a leader (seen with RabbitMQ 3.10.8):
//! it is listed and can be declared, but confirms nothing and lets nobody consume, for ever. Whoever declared such a queue replaces it: what it held is
//! published again by those who know it should be there, as after any other loss.

use super::session::{Session, within};
use super::{Fault, Shared};
use crate::broker::Queue;
use lapin::options::QueueDeleteOptions;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A queue that answered nothing for so long, and was asked, is mute.
const MUTE_AFTER: Duration = Duration::from_secs(20);
/// How long the broker may take to delete a mute queue: it asks the queue first.
const DELETE_TIMEOUT: Duration = Duration::from_mins(1);

/// Since when each durable queue has not answered.
#[derive(Debug, Default)]
pub(super) struct Silences(Mutex<BTreeMap<Queue, Instant>>);

impl Silences {
    /// A question asked at this moment was not answered in time.
    pub(super) fn note(&self, queue: &Queue, asked: Instant) {
        if queue.is_durable() {
            self.lock().entry(queue.clone()).or_insert(asked);
        }
    }

    /// The queue has answered.
    pub(super) fn end(&self, queue: &Queue) {
        let mut silences = self.lock();
        if !silences.is_empty() {
            silences.remove(queue);
        }
    }

    /// Whether the queue is mute; says so to one who asks, who then replaces it.
    fn take_mute(&self, queue: &Queue) -> bool {
        let mut silences = self.lock();
        let is_mute = silences
            .get(queue)
            .is_some_and(|since| since.elapsed() >= MUTE_AFTER);
        if is_mute {
            silences.remove(queue);
        }
        is_mute
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Queue, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes and declares a queue of ours if it is mute.
pub(super) async fn replace_if_mute(shared: &Shared, session: &Session, queue: &Queue) -> Result<(), Fault> {
    if !shared.is_declared(queue) || !shared.silences.take_mute(queue) {
        return Ok(());
    }
    let name = shared.topology.name(queue);
    tracing::warn!(queue = %name, "the queue serves nobody; it is deleted and declared again");
    within(DELETE_TIMEOUT, async {
        let channel = session.publish.create_channel().await?;
        channel
            .queue_delete(name.into(), QueueDeleteOptions::default())
            .await
    })
    .await?;
    session.declare(shared, queue).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_was_asked_and_silent_for_long_is_mute_once() {
        let silences = Silences::default();
        silences.note(&Queue::Reports, Instant::now());
        assert!(!silences.take_mute(&Queue::Reports), "it may only be slow");
        tokio::time::advance(MUTE_AFTER).await;
        silences.note(&Queue::Reports, Instant::now());
        assert!(silences.take_mute(&Queue::Reports));
        assert!(!silences.take_mute(&Queue::Reports), "one replaces it");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_silence_and_transient_queues_have_none() {
        let silences = Silences::default();
        silences.note(&Queue::Reports, Instant::now());
        silences.note(&Queue::Heartbeats, Instant::now());
        tokio::time::advance(MUTE_AFTER).await;
        silences.end(&Queue::Reports);
        assert!(!silences.take_mute(&Queue::Reports));
        assert!(!silences.take_mute(&Queue::Heartbeats));
    }
}
