//! Moments at which the engine wants to be woken, in order of time.

use super::ALARMS_MAX;
use crate::handle::CoordinatorHandle;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use tidemill_engine::{Alarm, Command};
use tidemill_protocol::time::{Clock, Millis, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The longest sleep between two looks at the clock, which need not be this machine's.
const LOOK_EVERY: Millis = Millis(1_000);

/// An alarm that the engine wants set: [`tidemill_engine::Effect::SetAlarm`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetAlarm {
    pub(crate) at: Timestamp,
    pub(crate) pause: Millis,
    pub(crate) alarm: Alarm,
}

impl SetAlarm {
    /// When it is due by the clock that never steps. The wall clock is asked once, so that whatever it says later changes nothing; what it said when the
    /// pause was decided may have been wrong, and the pause bounds what that costs.
    fn due(self, clock: &dyn Clock) -> Millis {
        clock.monotonic() + self.at.since(clock.now()).min(self.pause)
    }
}

/// Takes alarms in and gives each back as a command when it is due. A stale alarm is rejected by the engine and forgotten.
pub(crate) async fn run_alarms(
    mut incoming: mpsc::Receiver<SetAlarm>,
    handle: CoordinatorHandle,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
) {
    let mut pending: BinaryHeap<Reverse<(Millis, Alarm)>> = BinaryHeap::new();
    let mut taken = Vec::with_capacity(ALARMS_MAX);
    loop {
        let now = clock.monotonic();
        while let Some(Reverse((due, alarm))) = pending.peek().copied() {
            if due > now {
                break;
            }
            pending.pop();
            if handle
                .command(Command::Alarm(alarm))
                .await
                .is_err_and(|error| error.is_stopped())
            {
                return;
            }
        }
        let wait = pending.peek().map_or(LOOK_EVERY, |Reverse((due, _))| {
            Millis(due.0.saturating_sub(now.0)).min(LOOK_EVERY).max(Millis(1))
        });
        tokio::select! {
            () = token.cancelled() => return,
            count = incoming.recv_many(&mut taken, ALARMS_MAX) => {
                if count == 0 {
                    return;
                }
                pending.extend(taken.drain(..).map(|set| Reverse((set.due(&*clock), set.alarm))));
            }
            () = tokio::time::sleep(wait.to_duration()), if !pending.is_empty() => {}
        }
    }
}
