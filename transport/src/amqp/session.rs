//! One life of the connections: two of them, so that a broker that blocks publishers still hears acknowledgements, and what is declared
//! over them. A session is never mended; when anything about it fails it is thrown away whole and the supervisor makes another.

use super::Shared;
use super::fault::Fault;
use crate::broker::Queue;
use crate::topology::{Argument, QueueShape};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ConnectionProperties, DefaultConnectionBuilder, ExchangeKind};
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::{RwLock, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(super) struct Session {
    /// Publishes, declares, asks.
    pub(super) publish: Connection,
    /// Consumes and acknowledges.
    pub(super) consume: Connection,
    /// The session is over.
    pub(super) dead: CancellationToken,
    /// The broker takes no messages at present.
    pub(super) blocked: watch::Sender<bool>,
    /// Written while a queue is being made, read while one is subscribed to: RabbitMQ ends the connection of whoever subscribes to a
    /// quorum queue that is known already and not started yet.
    pub(super) making: RwLock<()>,
    reason: OnceLock<String>,
}

impl Session {
    /// Connects, both connections to the same of the broker's addresses.
    pub(super) async fn open(shared: &Shared, turn: usize) -> Result<Self, Fault> {
        let address = shared.addresses.of_turn(turn);
        let connect = |direction: &str| {
            let name = format!("{} {direction}", shared.config.name);
            let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
            let tls = OwnedTLSConfig {
                identity: None,
                cert_chain: shared.config.authorities.clone(),
            };
            within(shared.config.call_timeout, async move {
                let builder = DefaultConnectionBuilder::new()?
                    .with_uri(address.clone())
                    .with_properties(properties)
                    .with_tls_config(tls);
                builder.connect().await
            })
        };
        let (publish, consume) = futures_util::try_join!(connect("publish"), connect("consume"))?;
        Ok(Self {
            publish,
            consume,
            dead: CancellationToken::new(),
            blocked: watch::Sender::new(false),
            making: RwLock::new(()),
            reason: OnceLock::new(),
        })
    }

    /// Ends the session, for this reason unless it ended before.
    pub(super) fn fail(&self, reason: impl Into<String>) {
        let _first = self.reason.set(reason.into());
        self.dead.cancel();
    }

    pub(super) fn reason(&self) -> String {
        self.reason.get().cloned().unwrap_or_else(|| "closed".to_owned())
    }

    /// Makes sure of the exchanges; one who may not make them is content when they are there.
    pub(super) async fn declare_exchanges(&self, shared: &Shared) -> Result<(), Fault> {
        for exchange in shared.topology.exchanges() {
            match self.declare_exchange(&exchange, true).await {
                Err(Fault::Missing) => self.declare_exchange(&exchange, false).await?,
                answer => answer?,
            }
        }
        Ok(())
    }

    async fn declare_exchange(&self, exchange: &str, passive: bool) -> Result<(), Fault> {
        let channel = self.publish.create_channel().await?;
        let options = ExchangeDeclareOptions {
            passive,
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let kind = ExchangeKind::Direct;
        channel
            .exchange_declare(exchange.into(), kind, options, FieldTable::default())
            .await?;
        Ok(())
    }

    /// Makes a queue exist. A durable one brings the dead letters with it. One at a time: a second one would hear that the queue is
    /// there before it is.
    pub(super) async fn declare(&self, shared: &Shared, queue: &Queue) -> Result<(), Fault> {
        let _alone = self.making.write().await;
        within(shared.config.call_timeout, async {
            let channel = self.publish.create_channel().await?;
            if queue.is_durable() && *queue != Queue::DeadLetters {
                declare_queue(&channel, shared, &Queue::DeadLetters).await?;
            }
            declare_queue(&channel, shared, queue).await
        })
        .await
    }
}

/// Runs one question to the broker with its time limit.
pub(super) async fn within<T, E: Into<Fault>>(
    limit: Duration,
    question: impl Future<Output = Result<T, E>>,
) -> Result<T, Fault> {
    match timeout(limit, question).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(Fault::Broken("the broker did not answer in time".to_owned())),
    }
}

/// Declares a queue and binds it to its exchange, if it has one, under its own name.
async fn declare_queue(channel: &Channel, shared: &Shared, queue: &Queue) -> Result<(), Fault> {
    let QueueShape { name, arguments } = shared.topology.shape(queue);
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(name.as_str().into(), options, table(arguments))
        .await?;
    let Some(exchange) = shared.topology.route(queue) else {
        return Ok(());
    };
    channel
        .queue_bind(
            name.as_str().into(),
            exchange.into(),
            name.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok(())
}

fn table(arguments: Vec<(&'static str, Argument)>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        let value = match value {
            Argument::Number(number) => AMQPValue::LongLongInt(number),
            Argument::Text(text) => AMQPValue::LongString(text.into()),
        };
        table.insert(name.into(), value);
    }
    table
}
