//! One delivery: tried again with ever longer pauses, given up at last.

use super::channel::{Channel, Telling, Try};
use crate::error::Stopped;
use crate::handle::CoordinatorHandle;
use std::time::Duration;
use tidemill_protocol::delivery::DeliveryOutcome;

/// The pauses between the tries; after the last, a delivery is given up.
const PAUSES: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
];
/// Longest reason that is kept, in characters.
const WHY_CHARS_MAX: usize = 500;

/// Tells until it is taken or given up; says how often it was tried.
pub(super) async fn deliver<S: Channel>(
    handle: &CoordinatorHandle,
    telling: &Telling<S>,
) -> Result<(u32, DeliveryOutcome), Stopped> {
    let mut progress = S::Progress::default();
    let mut tries = 0;
    loop {
        tries += 1;
        let why = match S::tell(handle, telling, &mut progress).await? {
            Try::Settled(outcome) => return Ok((tries, outcome)),
            Try::Again(why) => shortened(&why),
        };
        let Some(pause) = PAUSES.get(tries as usize - 1) else {
            return Ok((tries, S::given_up(&progress, why)));
        };
        tracing::info!(kind = S::KIND, name = %telling.name, id = telling.id, why, "a notification was not taken; trying again");
        tokio::select! {
            () = handle.inner.token.cancelled() => return Err(Stopped),
            () = tokio::time::sleep(*pause) => {}
        }
    }
}

/// As much of a reason as is kept, on one line.
pub(crate) fn shortened(why: &str) -> String {
    let line = why.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(WHY_CHARS_MAX).collect()
}
