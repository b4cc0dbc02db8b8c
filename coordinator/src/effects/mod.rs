//! From the driver to the world: each effect to its carrier. The driver never waits here; what does not fit is dropped and asked of the state again, because
//! every effect can be derived from it.

mod alarms;
mod publisher;
mod reconcile;

pub(crate) use alarms::{SetAlarm, run_alarms};
pub(crate) use publisher::{Outgoing, Publisher};
pub(crate) use reconcile::Reconciler;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidemill_engine::Effect;
use tidemill_protocol::wire::Control;
use tokio::sync::mpsc;

/// Messages that may wait to be published.
pub(crate) const OUTGOING_MAX: usize = 16_384;
/// Alarms that may wait to be taken in.
pub(crate) const ALARMS_MAX: usize = 16_384;

/// Where effects go.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) alarms: mpsc::Sender<SetAlarm>,
    /// Set when an effect was dropped: the reconciler then asks the state for all of them.
    pub(crate) dropped: Arc<AtomicBool>,
}

impl Outbox {
    /// Sends an effect on its way.
    pub(crate) fn put(&self, effect: Effect) {
        let taken = match effect {
            Effect::PublishTask(task) => self.outgoing.try_send(Outgoing::Task(task)).is_ok(),
            Effect::StopAttempt {
                worker,
                attempt,
                token,
                reason,
            } => {
                let control = Control::Stop {
                    attempt,
                    token,
                    reason,
                };
                self.outgoing.try_send(Outgoing::Control(worker, control)).is_ok()
            }
            Effect::SetAlarm { at, pause, alarm } => {
                self.alarms.try_send(SetAlarm { at, pause, alarm }).is_ok()
            }
        };
        if !taken {
            self.dropped.store(true, Ordering::Release);
        }
    }
}
