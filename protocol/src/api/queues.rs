//! Queues: the backlog in the coordinator and the broker's queue, side by side.

use crate::name::Name;
use serde::{Deserialize, Serialize};

/// One compute target's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QueueView {
    /// The compute target.
    pub target: Name,
    /// Its compute type, as configured or as its workers say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_type: Option<Name>,
    /// Steps that could run and wait in the coordinator.
    pub backlog: u64,
    /// Steps whose task is published and not claimed.
    pub dispatched: u64,
    /// Steps that run.
    pub running: u64,
    /// Live workers that serve it.
    pub workers: u32,
    /// Their slots.
    pub slots: u32,
    /// How many tasks may be published and unclaimed at once, now.
    pub window: u64,
    /// How long the oldest step in backlog or queue has waited.
    pub oldest_age_ms: u64,
    /// Attempts that ended in the last minute.
    pub ended_last_minute: u64,
    /// What the broker says; absent when it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerQueueView>,
}

/// What the broker says of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BrokerQueueView {
    /// Messages ready for delivery.
    pub ready: u64,
    /// Messages delivered and not acknowledged, where the broker tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacknowledged: Option<u64>,
    /// Why `unacknowledged` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<Untold>,
    /// Consumers.
    pub consumers: u64,
}

/// Why it is not known how many messages of a queue are unacknowledged. AMQP does not tell; RabbitMQ's management API does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Untold {
    /// The coordinator has no `queue_management_url`.
    NotAsked,
    /// The management API does not answer the coordinator, or does not know the queue yet.
    #[serde(other)]
    NoAnswer,
}
