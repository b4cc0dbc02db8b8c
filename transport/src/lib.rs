//! The bus: RabbitMQ through lapin, and an in-process broker with the same promises. Carries bytes; knows nothing of what they mean.

mod amqp;
mod broker;
pub mod class;
#[cfg(feature = "contract")]
pub mod contract;
mod local;
pub mod rights;
pub mod tls;
pub mod topology;

pub use amqp::{AmqpBroker, AmqpConfig, split_addresses};
pub use broker::{
    Broker, BrokerError, Consumer, DELIVERY_LIMIT, Delivery, Depth, Link, MESSAGE_BYTES_MAX, Queue, Settle,
    Source, Unsettled, WINDOW_MAX,
};
pub use local::{DROPPING_MESSAGES_MAX, DURABLE_MESSAGES_MAX, LocalBroker};
