//! What the supervisor's threads tell its loop.

use super::message::Request;
use rustix::process::Pid;
use std::os::unix::net::UnixStream;

/// What wakes the loop.
#[derive(Debug)]
pub(super) enum Event {
    /// A daemon has connected.
    Connected { number: u64, writer: UnixStream },
    /// It asks.
    Requests(Vec<Request>),
    /// It is gone.
    Disconnected { number: u64 },
    /// A process was started, or not.
    Spawned {
        key: String,
        result: std::io::Result<Pid>,
    },
    /// Some child has ended; the reaper waits until it was dealt with.
    ChildEnded,
}
