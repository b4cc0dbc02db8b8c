//! The way of reports to the coordinator: onto the disk, then to the broker in batches, then forgotten once the coordinator says that it has them. Whatever
//! is interrupted on this way is sent again; the coordinator ignores what it knows. One task owns everything; [`Outbox`] talks to it.

mod handle;
mod lane;
mod postman;
mod spool;

pub(crate) use handle::{Outbox, OutboxConfig, UNACKNOWLEDGED_MAX};
pub(crate) use postman::{Postman, Settled, next_incarnation};
