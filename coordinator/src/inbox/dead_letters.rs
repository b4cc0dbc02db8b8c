//! Tasks that the broker set aside because they came back too often: the engine makes another attempt, or gives the step up.

use crate::driver::Request;
use crate::handle::CoordinatorHandle;
use tidemill_engine::Command;
use tidemill_protocol::codec;
use tidemill_protocol::wire::{StepTask, TrustedKeys, open_set_aside};
use tidemill_transport::{BrokerError, Consumer};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Letters that may be unsettled at once.
pub(crate) const LETTERS_WINDOW: u32 = 16;

/// Consumes dead letters until the token is cancelled or the bus is closed. Only tasks that this coordinator sealed count: workers can
/// put anything else among the dead letters, by reporting what is no report.
pub(crate) async fn run_dead_letters(
    mut consumer: Consumer,
    keys: TrustedKeys,
    handle: CoordinatorHandle,
    token: CancellationToken,
) -> Result<(), BrokerError> {
    loop {
        let delivery = tokio::select! {
            () = token.cancelled() => return Ok(()),
            delivery = consumer.next() => delivery.ok_or(BrokerError::Closed)?,
        };
        let opened = open_set_aside(&keys, &delivery.bytes).ok();
        let task = opened.and_then(|opened| codec::decode::<StepTask>(opened.body).ok());
        if let Some(task) = task {
            tracing::warn!(attempt = %task.attempt, "the broker set a task aside");
            let command = Command::DeadLetter {
                attempt: task.attempt,
                token: task.token,
            };
            let (reply, durable) = oneshot::channel();
            let sent = handle.request(Request::DeadLetter { command, reply }).await;
            if sent.is_err() || durable.await.is_err() {
                return Ok(());
            }
        }
        // If the broker never hears of it, the letter comes again and changes nothing.
        delivery.ack_soon();
    }
}
