//! The in-process bus, for one machine without a broker and for tests: the promises of RabbitMQ without the network. Nothing here is
//! durable, and nothing needs to be: the coordinator publishes again from its journal.

mod queue;

pub use queue::{DROPPING_MESSAGES_MAX, DURABLE_MESSAGES_MAX};

use crate::broker::{
    Broker, BrokerError, Consumer, Delivery, Depth, Link, MESSAGE_BYTES_MAX, Queue, Settle, Source,
    WINDOW_MAX,
};
use async_trait::async_trait;
use bytes::Bytes;
use queue::{Kind, LocalQueue, Put, Take};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// How long a publish waits for room in a full queue.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);

/// A bus within this process. Share it through its [`Arc`]; it ends with [`Broker::close`].
#[derive(Debug)]
pub struct LocalBroker {
    queues: RwLock<HashMap<Queue, Arc<LocalQueue>>>,
    link: watch::Sender<Link>,
    closed: CancellationToken,
}

impl LocalBroker {
    /// A bus without queues.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            queues: RwLock::default(),
            link: watch::Sender::new(Link::Up),
            closed: CancellationToken::new(),
        })
    }

    /// Deletes a queue with its messages, as an operator might on a real broker. Its consumers wait for it to be declared again.
    pub fn delete(&self, queue: &Queue) {
        if let Some(known) = self.known(queue) {
            known.delete();
        }
    }

    fn known(&self, queue: &Queue) -> Option<Arc<LocalQueue>> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(queue).cloned()
    }

    /// The queue, made (but not declared) on first sight, so that a consumer can wait for it.
    fn queue(&self, queue: &Queue) -> Arc<LocalQueue> {
        if let Some(known) = self.known(queue) {
            return known;
        }
        let dead_letters =
            matches!(queue, Queue::Tasks(_) | Queue::Reports).then(|| self.queue(&Queue::DeadLetters));
        let kind = match queue {
            Queue::DeadLetters => Kind::DeadLetters,
            durable if durable.is_durable() => Kind::Durable,
            _ => Kind::Transient,
        };
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(LocalQueue::new(kind, dead_letters));
        Arc::clone(queues.entry(queue.clone()).or_insert_with(made))
    }

    fn check_open(&self) -> Result<(), BrokerError> {
        if self.closed.is_cancelled() {
            return Err(BrokerError::Closed);
        }
        Ok(())
    }
}

#[async_trait]
impl Broker for LocalBroker {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.check_open()?;
        self.queue(queue).declare();
        Ok(())
    }

    async fn publish(&self, queue: &Queue, bytes: Bytes) -> Result<(), BrokerError> {
        self.check_open()?;
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(BrokerError::too_large(bytes.len()));
        }
        let queue = self.known(queue).ok_or(BrokerError::Unroutable)?;
        match queue.put(bytes) {
            Put::Taken => Ok(()),
            Put::Missing => Err(BrokerError::Unroutable),
            Put::Full(bytes) => {
                tokio::select! {
                    done = tokio::time::timeout(PUBLISH_TIMEOUT, put_when_room(&queue, bytes)) => {
                        done.unwrap_or(Err(BrokerError::TimedOut))
                    }
                    () = self.closed.cancelled() => Err(BrokerError::Closed),
                }
            }
        }
    }

    async fn consume(&self, queue: &Queue, window: u32) -> Result<Consumer, BrokerError> {
        self.check_open()?;
        let queue = self.queue(queue);
        let changed = Arc::new(Notify::new());
        let seat = queue.sit(window.min(WINDOW_MAX), Arc::clone(&changed));
        Ok(Consumer::new(Box::new(LocalSource {
            queue,
            seat,
            changed,
            closed: self.closed.clone(),
        })))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        self.check_open()?;
        let depth = self.known(queue).and_then(|known| known.depth());
        depth.ok_or(BrokerError::Unroutable)
    }

    async fn purge(&self, queue: &Queue) -> Result<u64, BrokerError> {
        self.check_open()?;
        let purged = self.known(queue).and_then(|known| known.purge());
        purged.ok_or(BrokerError::Unroutable)
    }

    fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    async fn close(&self) {
        self.closed.cancel();
        let queues = std::mem::take(&mut *self.queues.write().unwrap_or_else(PoisonError::into_inner));
        for queue in queues.values() {
            queue.delete();
        }
        self.link.send_replace(Link::Down("closed".to_owned()));
    }
}

async fn put_when_room(queue: &LocalQueue, mut bytes: Bytes) -> Result<(), BrokerError> {
    loop {
        let room = queue.room.notified();
        match queue.put(bytes) {
            Put::Taken => return Ok(()),
            Put::Missing => return Err(BrokerError::Unroutable),
            Put::Full(back) => bytes = back,
        }
        room.await;
    }
}

#[derive(Debug)]
struct LocalSource {
    queue: Arc<LocalQueue>,
    seat: u64,
    changed: Arc<Notify>,
    closed: CancellationToken,
}

#[async_trait]
impl Source for LocalSource {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            if self.closed.is_cancelled() {
                return None;
            }
            let arrived = self.queue.arrived.notified();
            let changed = self.changed.notified();
            match self.queue.take(self.seat) {
                Take::Message {
                    id,
                    bytes,
                    redelivered,
                } => {
                    let settle = LocalSettle {
                        queue: Arc::clone(&self.queue),
                        seat: self.seat,
                        id,
                    };
                    return Some(Delivery::new(bytes, redelivered, Arc::new(settle)));
                }
                Take::Empty => tokio::select! {
                    () = arrived => {}
                    () = changed => {}
                    () = self.closed.cancelled() => {}
                },
                Take::NoRoom => tokio::select! {
                    () = changed => {}
                    () = self.closed.cancelled() => {}
                },
            }
        }
    }

    fn set_window(&self, window: u32) {
        self.queue.set_window(self.seat, window);
    }
}

impl Drop for LocalSource {
    fn drop(&mut self) {
        self.queue.leave(self.seat);
    }
}

struct LocalSettle {
    queue: Arc<LocalQueue>,
    seat: u64,
    id: u64,
}

#[async_trait]
impl Settle for LocalSettle {
    async fn ack(&self) -> Result<(), BrokerError> {
        settled(self.queue.ack(self.seat, self.id))
    }

    fn ack_soon(&self) {
        // Not ours any more: it was given back, and comes again.
        self.queue.ack(self.seat, self.id);
    }

    async fn reject(&self, requeue: bool) -> Result<(), BrokerError> {
        settled(self.queue.reject(self.seat, self.id, requeue))
    }
}

fn settled(ours: bool) -> Result<(), BrokerError> {
    if ours { Ok(()) } else { Err(BrokerError::Stale) }
}
