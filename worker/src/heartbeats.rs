//! Signs of life on their way out: as they are made, the newest only. What stands in them is the driver's.

use bytes::Bytes;
use std::sync::Arc;
use tidemill_transport::{Broker, Queue};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Sends signs of life as they are made.
pub(crate) async fn send_heartbeats(
    broker: Arc<dyn Broker>,
    mut heartbeat: watch::Receiver<Bytes>,
    token: CancellationToken,
) {
    loop {
        tokio::select! {
            changed = heartbeat.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = token.cancelled() => {
                // The last one says that this worker takes nothing more.
                if !heartbeat.has_changed().unwrap_or(false) {
                    return;
                }
            }
        }
        let bytes = heartbeat.borrow_and_update().clone();
        // Lost ones are followed by others; a coordinator that is not there needs none.
        if let Err(error) = broker.publish(&Queue::Heartbeats, bytes).await {
            tracing::debug!(%error, "a sign of life was not sent");
        }
    }
}
