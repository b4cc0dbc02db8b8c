//! Reports: in the order of their arrival to the driver, acknowledged to the broker when they are durable, and then to the worker, which keeps them
//! on its disk until then.

use super::receipts::Receipts;
use super::speaker::{Heard, hear, note_quarantined, note_trespass, note_unheard};
use crate::driver::{Request, Trespass};
use crate::effects::Outgoing;
use crate::handle::CoordinatorHandle;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::{Control, ReportBatch};
use tidemill_transport::{BrokerError, Consumer, Delivery};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Report messages that may be on their way to the journal.
pub(crate) const REPORTS_WINDOW: u32 = 256;
/// How long receipts are gathered before they are sent.
const RECEIPTS_EVERY: Duration = Duration::from_millis(100);

/// A batch that became durable.
struct Stored {
    worker: tidemill_protocol::ids::WorkerId,
    incarnation: u64,
    first: u64,
    count: u64,
}

/// Consumes reports until the token is cancelled or the bus is closed.
pub(crate) async fn run_reports(
    mut consumer: Consumer,
    handle: CoordinatorHandle,
    outgoing: mpsc::Sender<Outgoing>,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
) -> Result<(), BrokerError> {
    let mut receipts = Receipts::default();
    let mut storing = FuturesUnordered::new();
    let mut tick = tokio::time::interval(RECEIPTS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fresh = false;
    loop {
        tokio::select! {
            () = token.cancelled() => return Ok(()),
            Some(stored) = storing.next(), if !storing.is_empty() => {
                let stored: Option<Stored> = stored;
                let Some(Stored { worker, incarnation, first, count }) = stored else { continue };
                fresh = true;
                if receipts.stored(&worker, incarnation, first, count, clock.monotonic()) {
                    // Dropped when there is no room: it is asked again with the next unknown incarnation.
                    drop(outgoing.try_send(Outgoing::Control(worker, Control::Announce)));
                }
            }
            _ = tick.tick(), if fresh => {
                for (worker, incarnation, sequence) in receipts.due(clock.monotonic()) {
                    let receipt = Control::Stored { incarnation, sequence };
                    drop(outgoing.try_send(Outgoing::Control(worker, receipt)));
                }
                fresh = receipts.is_settling();
            }
            delivery = consumer.next() => {
                let Some(delivery) = delivery else { return Err(BrokerError::Closed) };
                match hear::<ReportBatch>(&handle, &delivery) {
                    Ok(Heard { message: batch, is_quarantined }) => {
                        let stored = Stored {
                            worker: batch.worker.clone(),
                            incarnation: batch.incarnation,
                            first: batch.first_sequence,
                            count: batch.reports.len() as u64,
                        };
                        if is_quarantined {
                            note_quarantined::<ReportBatch>(&handle, &delivery, &batch.worker).await;
                        }
                        // Those of a quarantined worker, too: the driver drops them and tells it to stop, and it may forget them.
                        let (reply, durable) = oneshot::channel();
                        if handle.request(Request::Reports { batch, reply }).await.is_err() {
                            return Ok(());
                        }
                        storing.push(acknowledge(handle.clone(), delivery, durable, stored));
                    }
                    Err(why) => {
                        note_unheard::<ReportBatch>(&handle, &delivery, &why).await;
                        settle(delivery.reject(false).await);
                    }
                }
            }
        }
    }
}

async fn acknowledge(
    handle: CoordinatorHandle,
    delivery: Delivery,
    durable: oneshot::Receiver<Option<Trespass>>,
    stored: Stored,
) -> Option<Stored> {
    // The driver ended: the broker keeps the message for the next coordinator.
    if let Some(trespass) = durable.await.ok()? {
        note_trespass(&handle, &delivery, &stored.worker, &trespass).await;
    }
    delivery.ack_soon();
    Some(stored)
}

fn settle(result: Result<(), BrokerError>) {
    if let Err(error) = result {
        tracing::debug!(%error, "a delivery was not settled; it comes again and changes nothing");
    }
}
