//! The limits that our figures are held against: the plainest program that does the same work, without any of what tidemill adds.

mod broker;
mod process;

pub use broker::{RoundTrips, bare_worker, publish, round_trip};
pub use process::{spawn_rate, wall_seconds};
