//! From the world to the driver: what workers report, their signs of life, what the broker set aside, and the log bytes that somebody follows.
//! Nothing is acknowledged before it is durable.

mod dead_letters;
mod ear;
mod heartbeats;
mod receipts;
mod reports;
mod speaker;

pub(crate) use dead_letters::{LETTERS_WINDOW, run_dead_letters};
pub(crate) use ear::Ear;
pub(crate) use heartbeats::{PASSING_WINDOW, run_heartbeats, run_logs};
pub(crate) use reports::{REPORTS_WINDOW, run_reports};
