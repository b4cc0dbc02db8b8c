//! Tasks that the broker set aside, because they came back too often or because a worker refused them: the engine makes another attempt, or gives the step up. What is no task
//! of this coordinator was forged or is not for it: it changes nothing, is counted, and is written to the audit log.

use super::speaker::note_letter;
use crate::driver::Request;
use crate::handle::CoordinatorHandle;
use tidemill_engine::Command;
use tidemill_protocol::codec::{self, DecodeError};
use tidemill_protocol::wire::{EnvelopeError, StepTask, TrustedKeys, open_set_aside};
use tidemill_transport::{BrokerError, Consumer};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Letters that may be unsettled at once.
pub(crate) const LETTERS_WINDOW: u32 = 16;

/// Why a letter is no task of ours.
#[derive(Debug, thiserror::Error)]
enum Foreign {
    /// We have not signed it.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// We have signed it, and it is of another version or another kind.
    #[error("it cannot be read: {0}")]
    Task(#[from] DecodeError),
}

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
        let metrics = &handle.inner.metrics;
        match read(&keys, &delivery.bytes) {
            Ok(task) => {
                metrics.dead_letters.add(1);
                let why = format!(
                    "the broker set the task of attempt {} aside: it came back too often, or a worker refused it",
                    task.attempt
                );
                tracing::warn!(attempt = %task.attempt, "the broker set a task aside");
                note_letter(&handle, &delivery, Some(&task.attempt), why).await;
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
            Err(foreign) => {
                metrics.dead_letters_foreign.add(1);
                tracing::warn!(%foreign, bytes = delivery.bytes.len(), "the broker set aside what is no task of this coordinator");
                let why = format!("it is no task of this coordinator: {foreign}");
                note_letter(&handle, &delivery, None, why).await;
            }
        }
        // If the broker never hears of it, the letter comes again and changes nothing.
        delivery.ack_soon();
    }
}

fn read(keys: &TrustedKeys, bytes: &[u8]) -> Result<StepTask, Foreign> {
    let opened = open_set_aside(keys, bytes)?;
    Ok(codec::decode(opened.body)?)
}
