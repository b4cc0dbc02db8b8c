//! The machine's clock, read here and nowhere else: everything takes a [`Clock`], so that tests can hold time still. It lives with the worker because the
//! supervisor process, which nobody hands anything, needs it too; the coordinator is given one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tidemill_protocol::time::{Clock, Millis, Timestamp};

/// The machine's own clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one reader of wall time")]
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn monotonic(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
