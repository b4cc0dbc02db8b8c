//! What a step wrote over REST: its bytes, or its lines as server-sent events that can be resumed.

mod events;
mod lines;
mod read;
mod tail;

pub(super) use read::{__path_read, read};
#[cfg(feature = "fuzzing")]
pub(super) use tail::LogsQuery;
