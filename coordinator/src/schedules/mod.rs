//! Schedules: published pipelines that are started by themselves. A ledger says which there are and what became of each of their moments; `calendar` reckons the
//! moments of the clock, `occasions` finds those that something gives which happened, `due` decides what is to be done about those that have come, and `clock` does it; `watch` looks at
//! files, and `difference` compares what it saw. All but `clock` and `watch` are pure.
//!
//! A firing cannot happen twice: the run's idempotency key is made of schedule and moment, so a coordinator that ended between the start of the run and the fact
//! about it finds that run when it tries again. It cannot be lost: a moment is settled by that fact only.

mod attend;
mod calendar;
mod clock;
mod command;
mod decide;
mod difference;
mod due;
mod fact;
mod firing;
mod looks;
mod occasions;
mod state;
mod watch;
mod words;

pub use calendar::{Calendar, CalendarError, ZoneError, jitter, time_zone};
pub(crate) use clock::run_schedules;
pub use command::{Asker, Difference, ScheduleCommand, ScheduleRejection};
pub use decide::SCHEDULES_MAX;
pub use due::{Due, Missed, due};
pub use fact::ScheduleFact;
pub(crate) use looks::Looks;
pub use state::{CHANGES_MAX, FIRINGS_KEPT, Pause, QUEUE_MAX, Schedule, Schedules};
pub(crate) use watch::run_watches;
