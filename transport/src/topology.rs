//! What exists on the broker: the names of queues and of the exchanges, and the arguments of each kind of queue, as data. How they are
//! declared is the business of `amqp`; who may use them that of `rights`.

use crate::broker::{DELIVERY_LIMIT, Queue};
use std::fmt;
use std::time::Duration;

/// The prefix of all names unless another is configured.
pub const PREFIX_DEFAULT: &str = "tidemill";

/// How long an unused transient queue lives. Longer than a reconnect takes, so that a control queue survives one.
pub const TRANSIENT_EXPIRES: Duration = Duration::from_mins(1);

/// How long a message lives in a transient queue: a sign of life older than this says nothing.
pub const TRANSIENT_MESSAGE_TTL: Duration = Duration::from_mins(1);

/// Messages in a transient queue; the oldest gives way.
pub const TRANSIENT_MESSAGES_MAX: i64 = 10_000;

/// Bytes in a transient queue; the oldest message gives way.
pub const TRANSIENT_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Dead letters are looked at, not worked through: RabbitMQ 4 would drop them after 20 deliveries if nothing else were said.
const DEAD_LETTER_DELIVERY_LIMIT: i64 = 1_000_000;

/// Longest prefix, so that every name stays well below AMQP's 255 bytes.
const PREFIX_BYTES_MAX: usize = 64;

/// The value of a queue's argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// How a queue is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueShape {
    /// Its name, and its routing key on the exchange.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<(&'static str, Argument)>,
}

/// Why a prefix is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a prefix has 1 to {PREFIX_BYTES_MAX} letters, digits, `_`, `-` and `.`: {0:?} has not")]
pub struct BadPrefix(String);

/// The names and shapes of everything on the broker that carries one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    prefix: String,
}

impl Topology {
    /// The topology of a prefix. Installations with different prefixes share a broker without noticing each other.
    pub fn new(prefix: &str) -> Result<Self, BadPrefix> {
        let grammar = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if prefix.is_empty() || prefix.len() > PREFIX_BYTES_MAX || !prefix.bytes().all(grammar) {
            return Err(BadPrefix(prefix.chars().take(PREFIX_BYTES_MAX).collect()));
        }
        Ok(Self {
            prefix: prefix.to_owned(),
        })
    }

    /// The exchange through which the coordinator gives out tasks: direct and durable. A message's routing key is its queue's name.
    pub fn exchange(&self) -> &str {
        &self.prefix
    }

    /// The exchange through which workers speak to the coordinator, of the same kind. It is apart because the broker grants the right to write by the
    /// exchange: who may report must not be able to publish tasks.
    pub fn inbox(&self) -> String {
        format!("{}.inbox", self.prefix)
    }

    /// Both exchanges.
    pub fn exchanges(&self) -> [String; 2] {
        [self.exchange().to_owned(), self.inbox()]
    }

    /// Through which exchange messages come into a queue. A control queue has none, and is reached by its name alone (the broker's nameless exchange): its
    /// worker declares it, and to bind it would need a right with which it could listen to what others are sent.
    pub fn route(&self, queue: &Queue) -> Option<String> {
        match queue {
            Queue::Tasks(_) | Queue::DeadLetters => Some(self.exchange().to_owned()),
            Queue::Reports | Queue::Heartbeats | Queue::Logs => Some(self.inbox()),
            Queue::Control(_) => None,
        }
    }

    /// A queue's name.
    pub fn name(&self, queue: &Queue) -> String {
        let prefix = &self.prefix;
        match queue {
            Queue::Tasks(target) => format!("{prefix}.tasks.{target}"),
            Queue::Reports => format!("{prefix}.reports"),
            Queue::Heartbeats => format!("{prefix}.heartbeats"),
            Queue::Logs => format!("{prefix}.logs"),
            Queue::Control(worker) => format!("{prefix}.control.{worker}"),
            Queue::DeadLetters => format!("{prefix}.dead"),
        }
    }

    /// How a queue is declared. Every queue is declared `durable`, because RabbitMQ from 4.3 on refuses a shared one that is not; the
    /// transient ones expire instead, and their messages are not written to disk.
    pub fn shape(&self, queue: &Queue) -> QueueShape {
        let arguments = match queue {
            Queue::Tasks(_) | Queue::Reports => vec![
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT.into())),
                ("x-dead-letter-exchange", text(self.exchange())),
                ("x-dead-letter-routing-key", text(self.name(&Queue::DeadLetters))),
            ],
            Queue::DeadLetters => vec![
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", Argument::Number(DEAD_LETTER_DELIVERY_LIMIT)),
            ],
            Queue::Heartbeats | Queue::Logs | Queue::Control(_) => vec![
                ("x-queue-type", text("classic")),
                ("x-expires", millis(TRANSIENT_EXPIRES)),
                ("x-message-ttl", millis(TRANSIENT_MESSAGE_TTL)),
                ("x-max-length", Argument::Number(TRANSIENT_MESSAGES_MAX)),
                ("x-max-length-bytes", Argument::Number(TRANSIENT_BYTES_MAX)),
                ("x-overflow", text("drop-head")),
            ],
        };
        QueueShape {
            name: self.name(queue),
            arguments,
        }
    }
}

fn text(value: impl fmt::Display) -> Argument {
    Argument::Text(value.to_string())
}

fn millis(duration: Duration) -> Argument {
    Argument::Number(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology() -> Topology {
        Topology::new(PREFIX_DEFAULT).unwrap()
    }

    #[test]
    fn queues_are_named_after_what_they_carry() {
        let names = [
            Queue::Tasks("gpu-a100".parse().unwrap()),
            Queue::Reports,
            Queue::Control("w1".parse().unwrap()),
            Queue::DeadLetters,
        ]
        .map(|queue| topology().name(&queue));
        assert_eq!(
            names,
            [
                "tidemill.tasks.gpu-a100",
                "tidemill.reports",
                "tidemill.control.w1",
                "tidemill.dead"
            ]
        );
    }

    #[test]
    fn tasks_are_kept_by_quorum_and_set_aside_after_the_delivery_limit() {
        let shape = topology().shape(&Queue::Tasks("cpu".parse().unwrap()));
        for expected in [
            ("x-queue-type", text("quorum")),
            ("x-delivery-limit", Argument::Number(50)),
            ("x-dead-letter-exchange", text("tidemill")),
            ("x-dead-letter-routing-key", text("tidemill.dead")),
        ] {
            assert!(shape.arguments.contains(&expected), "{expected:?} is missing");
        }
    }

    #[test]
    fn transient_queues_expire_and_stay_small() {
        let shape = topology().shape(&Queue::Heartbeats);
        for name in ["x-expires", "x-message-ttl", "x-max-length", "x-max-length-bytes"] {
            assert!(
                shape.arguments.iter().any(|(argument, _)| *argument == name),
                "{name} is missing"
            );
        }
    }

    #[test]
    fn a_prefix_that_could_change_a_name_is_refused() {
        for bad in ["", "a b", "a*", "a#", &"a".repeat(65)] {
            assert!(Topology::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
