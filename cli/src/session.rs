//! What every verb is given: what is meant, the way to speak, and the time. How to reach a coordinator is in `connection`.

use crate::output::Printer;
use crate::settings::Settings;
use tidemill_protocol::time::{Clock, Timestamp};
use tidemill_worker::SystemClock;

/// What every verb is given.
#[derive(Debug)]
pub(crate) struct Session {
    /// What is meant.
    pub(crate) settings: Settings,
    /// The way to speak.
    pub(crate) printer: Printer,
    /// The time.
    pub(crate) clock: SystemClock,
}

impl Session {
    /// Now, for showing how long ago something was.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
