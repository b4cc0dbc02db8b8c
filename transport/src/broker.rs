//! The face of a bus. What it promises: a published message was taken durably; every message of a queue reaches a consumer at least
//! once. What it does not promise: order, uniqueness, or that a message still exists after the broker was wiped. Everything above is
//! built to need no more.

use crate::class::Sender;
use async_trait::async_trait;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::name::Name;
use tokio::sync::watch;

/// The largest window of a consumer: quorum queues cap the prefetch there.
pub const WINDOW_MAX: u32 = 2000;

/// The largest message. RabbitMQ 4 takes 16 MiB unless told otherwise; envelopes are smaller still.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often a durable queue delivers a message again before it becomes a dead letter.
pub const DELIVERY_LIMIT: u32 = 50;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Queue {
    /// Tasks for one compute target. Durable.
    Tasks(Name),
    /// Reports of all workers. Durable.
    Reports,
    /// Signs of life of all workers. Kept only while a coordinator listens, and only briefly.
    Heartbeats,
    /// Log bytes that somebody follows. As [`Self::Heartbeats`].
    Logs,
    /// Instructions to one worker. Exists while the worker listens.
    Control(WorkerId),
    /// Tasks that came back too often. Durable.
    DeadLetters,
}

impl Queue {
    /// Whether the queue and its messages outlive the broker's restarts, and whether it must be declared before use. The others exist
    /// while somebody consumes from them, hold little, and drop the oldest when full.
    pub const fn is_durable(&self) -> bool {
        matches!(self, Self::Tasks(_) | Self::Reports | Self::DeadLetters)
    }
}

/// A bus that could not do what was asked. All of them pass with time unless they say otherwise.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// There is no connection; the bus goes on trying to make one.
    #[error("the broker cannot be reached: {0}")]
    Disconnected(String),
    /// No answer within the time limit. The message may or may not have been taken: sending it again is always safe.
    #[error("the broker did not answer in time")]
    TimedOut,
    /// The message could not be routed: nobody has declared the queue (or no worker listens on it).
    #[error("no queue takes this message")]
    Unroutable,
    /// The delivery belongs to a connection that is gone; the broker will deliver it again.
    #[error("the delivery is no longer ours")]
    Stale,
    /// The broker refuses for a reason that time does not mend (rights, an incompatible queue of the same name).
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// The bus was closed.
    #[error("the bus is closed")]
    Closed,
}

impl BrokerError {
    /// The refusal of a message larger than [`MESSAGE_BYTES_MAX`].
    pub(crate) fn too_large(bytes: usize) -> Self {
        Self::Refused(format!(
            "a message of {bytes} bytes is larger than the limit of {MESSAGE_BYTES_MAX}"
        ))
    }
}

/// How the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// In order.
    Up,
    /// Gone, for this reason; being made again.
    Down(String),
    /// The broker takes no messages (its memory or disk alarm).
    Blocked(String),
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages ready for delivery.
    pub ready: u64,
    /// Messages delivered and not settled, where the broker tells.
    pub unsettled: Option<u64>,
    /// Consumers. RabbitMQ still counts one that has stopped until it has settled what it took.
    pub consumers: u64,
}

/// What somebody beside the bus says of a queue's messages that are delivered and not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsettled {
    /// So many, some seconds ago.
    Count(u64),
    /// Nobody is asked.
    NotAsked,
    /// Who is asked does not answer, or does not know the queue yet.
    NoAnswer,
}

/// A bus.
#[async_trait]
pub trait Broker: fmt::Debug + Send + Sync + 'static {
    /// Makes a queue exist. Doing it again changes nothing. Only the coordinator declares task queues.
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError>;

    /// Sends a message; done once the broker has it as durably as the queue promises. Calls may overlap: throughput comes from many at once.
    async fn publish(&self, queue: &Queue, bytes: Bytes) -> Result<(), BrokerError>;

    /// Subscribes with at most `window` unsettled deliveries (0 to [`WINDOW_MAX`]; see [`Consumer::set_window`]). The subscription outlives broken connections: it is made again
    /// for as long as the [`Consumer`] exists. A queue that does not exist yet is waited for.
    async fn consume(&self, queue: &Queue, window: u32) -> Result<Consumer, BrokerError>;

    /// Asks how full a queue is.
    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError>;

    /// What is known of unsettled messages where [`Depth`] does not tell; for people, not to decide anything by. Answers from memory.
    fn unsettled(&self, _queue: &Queue) -> Unsettled {
        Unsettled::NotAsked
    }

    /// Deletes every ready message of a queue (an operator's tool); answers how many.
    async fn purge(&self, queue: &Queue) -> Result<u64, BrokerError>;

    /// How the connection stands, as it changes.
    fn link(&self) -> watch::Receiver<Link>;

    /// Ends all subscriptions and the connection.
    async fn close(&self);
}

/// How a delivery is settled; one implementation for each bus.
#[async_trait]
pub trait Settle: Send + Sync {
    /// The message is done with.
    async fn ack(&self) -> Result<(), BrokerError>;
    /// As [`Delivery::ack_soon`].
    fn ack_soon(&self);
    /// The message is given back for another delivery, or set aside among the dead letters.
    async fn reject(&self, requeue: bool) -> Result<(), BrokerError>;
}

/// A delivered message. Dropping it unsettled gives it back only when the consumer ends.
pub struct Delivery {
    /// The message.
    pub bytes: Bytes,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// Whom the broker vouches for as its sender.
    pub sender: Sender,
    settle: Arc<dyn Settle>,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Delivery({} bytes, redelivered: {})",
            self.bytes.len(),
            self.redelivered
        )
    }
}

impl Delivery {
    /// A delivery as a bus hands it out.
    pub fn new(bytes: Bytes, redelivered: bool, settle: Arc<dyn Settle>) -> Self {
        Self {
            bytes,
            redelivered,
            sender: Sender::Anybody,
            settle,
        }
    }

    /// The same, with somebody for whom the broker vouches.
    #[must_use]
    pub fn from_sender(self, sender: Sender) -> Self {
        Self { sender, ..self }
    }

    /// The message is done with.
    pub async fn ack(self) -> Result<(), BrokerError> {
        self.settle.ack().await
    }

    /// The message is done with, and nobody waits for the broker to know: it hears of it together with others, within a few milliseconds. If it never
    /// does, it delivers the message again, as it may after [`Self::ack`] too.
    pub fn ack_soon(self) {
        self.settle.ack_soon();
    }

    /// Gives the message back for another delivery (`requeue`), or sets it aside among the dead letters.
    pub async fn reject(self, requeue: bool) -> Result<(), BrokerError> {
        self.settle.reject(requeue).await
    }
}

/// Where a [`Consumer`] takes its deliveries from; one implementation for each bus. Dropping it ends the subscription.
#[async_trait]
pub trait Source: fmt::Debug + Send + Sync {
    /// The next message; none when the bus is closed. Safe to cancel.
    async fn next(&mut self) -> Option<Delivery>;
    /// As [`Consumer::set_window`].
    fn set_window(&self, window: u32);
}

/// A subscription. Dropping it ends it; what it holds unsettled goes back to the queue.
#[derive(Debug)]
pub struct Consumer {
    source: Box<dyn Source>,
}

impl Consumer {
    /// A subscription as a bus hands it out.
    pub fn new(source: Box<dyn Source>) -> Self {
        Self { source }
    }

    /// The next message; none when the bus is closed. Safe to cancel.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.source.next().await
    }

    /// Changes how many unsettled deliveries there may be, up to [`WINDOW_MAX`]. 0 stops consuming (the broker sees no consumer any more)
    /// and gives back what was delivered but not yet taken by [`Self::next`]; deliveries already taken stay ours and count against
    /// the next window until they are settled.
    pub fn set_window(&self, window: u32) {
        self.source.set_window(window.min(WINDOW_MAX));
    }
}
