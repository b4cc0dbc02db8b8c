//! What may be lost: signs of life, and log bytes on their way to somebody who follows.

use super::speaker::{hear, note_unheard};
use crate::driver::Request;
use crate::handle::CoordinatorHandle;
use std::sync::Arc;
use tidemill_protocol::wire::{Heartbeat, LogChunk};
use tidemill_transport::{Broker, BrokerError, Consumer, Queue};
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
        match hear::<Heartbeat>(&handle, &delivery) {
            // A quarantined worker's too: it is shown, and counts for nothing.
            Ok(heard) => {
                let heartbeat = Request::Heartbeat(Box::new(heard.message));
                if handle.request(heartbeat).await.is_err() {
                    return Ok(());
                }
            }
            Err(why) => note_unheard::<Heartbeat>(&handle, &delivery, &why).await,
        }
        delivery.ack_soon();
    }
}

/// Hands log bytes to those who follow, until the token is cancelled or the bus is closed. Consumes only while somebody does.
pub(crate) async fn run_logs(
    broker: Arc<dyn Broker>,
    handle: CoordinatorHandle,
    token: CancellationToken,
) -> Result<(), BrokerError> {
    let hub = handle.inner.logs.clone();
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
            match hear::<LogChunk>(&handle, &delivery) {
                Ok(heard) if !heard.is_quarantined => hub.deliver(&heard.message),
                Ok(_) => {}
                Err(why) => note_unheard::<LogChunk>(&handle, &delivery, &why).await,
            }
            delivery.ack_soon();
        }
    }
}
