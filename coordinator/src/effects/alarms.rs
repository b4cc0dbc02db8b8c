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

/// The longest sleep between two looks at the clock, because the wall clock may be set.
const LOOK_EVERY: Millis = Millis(1_000);

/// Takes alarms in and gives each back as a command when it is due. A stale alarm is rejected by the engine and forgotten.
pub(crate) async fn run_alarms(
    mut incoming: mpsc::Receiver<(Timestamp, Alarm)>,
    handle: CoordinatorHandle,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
) {
    let mut pending: BinaryHeap<Reverse<(Timestamp, Alarm)>> = BinaryHeap::new();
    let mut taken = Vec::with_capacity(ALARMS_MAX);
    loop {
        let now = clock.now();
        while let Some(Reverse((at, alarm))) = pending.peek().copied() {
            if at > now {
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
        let wait = pending.peek().map_or(LOOK_EVERY, |Reverse((at, _))| {
            at.since(now).min(LOOK_EVERY).max(Millis(1))
        });
        tokio::select! {
            () = token.cancelled() => return,
            count = incoming.recv_many(&mut taken, ALARMS_MAX) => {
                if count == 0 {
                    return;
                }
                pending.extend(taken.drain(..).map(Reverse));
            }
            () = tokio::time::sleep(wait.to_duration()), if !pending.is_empty() => {}
        }
    }
}
