//! Instructions of the coordinator in, verified like tasks. What concerns reports goes straight to the outbox, the rest to the driver.

use crate::outbox::Outbox;
use std::sync::Arc;
use tidemill_protocol::codec;
use tidemill_protocol::ids::WorkerId;
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::{Audience, Control, EnvelopeError, Kind, TrustedKeys, open};
use tidemill_transport::{Consumer, Delivery};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The subscription to this worker's instructions.
#[derive(Debug)]
pub(crate) struct ControlIntake {
    pub worker: WorkerId,
    pub keys: TrustedKeys,
    pub clock: Arc<dyn Clock>,
    pub outbox: Outbox,
    pub controls: mpsc::Sender<Control>,
}

impl ControlIntake {
    /// Passes instructions on until the token is cancelled or the bus is closed.
    pub(crate) async fn run(self, mut consumer: Consumer, token: CancellationToken) {
        loop {
            let delivery = tokio::select! {
                delivery = consumer.next() => delivery,
                () = token.cancelled() => return,
            };
            let Some(delivery) = delivery else { return };
            let control = self.read(&delivery);
            // Every instruction is repeated by whoever needs it, so losing one does no harm.
            if let Err(error) = delivery.ack().await {
                tracing::debug!(%error, "an instruction could not be acknowledged");
            }
            match control {
                Ok(Control::Stored {
                    incarnation,
                    sequence,
                }) => self.outbox.stored(incarnation, sequence).await,
                Ok(control) => {
                    if self.controls.send(control).await.is_err() {
                        return;
                    }
                }
                Err(why) => tracing::warn!(why, "refused an instruction"),
            }
        }
    }

    fn read(&self, delivery: &Delivery) -> Result<Control, String> {
        let audience = Audience::worker(self.worker.as_str());
        let opened = open(
            &self.keys,
            Kind::Control,
            audience,
            self.clock.now(),
            &delivery.bytes,
        )
        .map_err(refusal)?;
        codec::decode(opened.body).map_err(|error| error.to_string())
    }
}

/// What the log says of an instruction that is not followed.
fn refusal(error: EnvelopeError) -> String {
    match error {
        EnvelopeError::Expired => {
            format!("{error}; help: is this machine's clock more than a minute ahead of the coordinator's?")
        }
        error => error.to_string(),
    }
}
