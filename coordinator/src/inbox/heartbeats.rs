//! What may be lost: signs of life, and log bytes on their way to somebody who follows.

use crate::driver::Request;
use crate::handle::CoordinatorHandle;
use crate::logs::LogHub;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tidemill_protocol::codec;
use tidemill_protocol::wire::{Audience, Heartbeat, Kind, LogChunk, open_unsigned};
use tidemill_transport::class::Sender;
use tidemill_transport::{Broker, BrokerError, Consumer, Delivery, Queue};
use tokio_util::sync::CancellationToken;

/// Messages of each kind that may be unsettled at once.
pub(crate) const PASSING_WINDOW: u32 = 256;

/// Consumes heartbeats until the token is cancelled or the bus is closed.
pub(crate) async fn run_heartbeats(
    mut consumer: Consumer,
    handle: CoordinatorHandle,
    token: CancellationToken,
) -> Result<(), BrokerError> {
    loop {
        let delivery = tokio::select! {
            () = token.cancelled() => return Ok(()),
            delivery = consumer.next() => delivery.ok_or(BrokerError::Closed)?,
        };
        if let Some(heartbeat) = read::<Heartbeat>(&delivery, Kind::Heartbeat)
            && delivery.sender.may_be(&heartbeat.worker)
            && handle
                .request(Request::Heartbeat(Box::new(heartbeat)))
                .await
                .is_err()
        {
            return Ok(());
        }
        delivery.ack_soon();
    }
}

/// Hands log bytes to those who follow, until the token is cancelled or the bus is closed. Consumes only while somebody does.
pub(crate) async fn run_logs(
    broker: Arc<dyn Broker>,
    hub: LogHub,
    token: CancellationToken,
) -> Result<(), BrokerError> {
    let mut followed = hub.followed();
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            changed = followed.wait_for(|count| *count > 0) => {
                if changed.is_err() {
                    return Ok(());
                }
            }
        }
        let mut consumer = broker.consume(&Queue::Logs, PASSING_WINDOW).await?;
        loop {
            let delivery = tokio::select! {
                () = token.cancelled() => return Ok(()),
                _ = followed.wait_for(|count| *count == 0) => break,
                delivery = consumer.next() => delivery.ok_or(BrokerError::Closed)?,
            };
            if delivery.sender != Sender::Stranger
                && let Some(chunk) = read::<LogChunk>(&delivery, Kind::Log)
            {
                hub.deliver(&chunk);
            }
            delivery.ack_soon();
        }
    }
}

fn read<T: DeserializeOwned>(delivery: &Delivery, kind: Kind) -> Option<T> {
    let opened = open_unsigned(kind, Audience::coordinator(), &delivery.bytes).ok()?;
    codec::decode(opened.body).ok()
}
