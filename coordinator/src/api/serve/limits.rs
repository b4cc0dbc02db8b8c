//! How many connections there may be, and how long each may keep us waiting. One line of text for every number; none of them is a setting.

use rustix::process::{Resource, getrlimit};
use std::time::Duration;

/// Most connections at once, however many files the process may open.
const CONNECTIONS_MAX: usize = 4_096;
/// How many files a process may open when the system does not say.
const FILES_USUAL: u64 = 1_024;

/// How often a connection is looked at, at least.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(5);

/// How long a connection may keep us waiting, and how many there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for the TLS handshake; and from the first moment, or the first byte of a later request, until its head is complete.
    pub head_within: Duration,
    /// How long a connection may stay without a request after its last answer. Longer than clients keep theirs, so that it is they who close it: a request
    /// that crosses our closing on the way would be lost.
    pub idle_max: Duration,
    /// How long the body of a request may pause.
    pub body_pause_max: Duration,
    /// How long a client may take none of an answer that waits for it. A stream that has nothing to say waits for nobody.
    pub answer_pause_max: Duration,
    /// Connections at once.
    pub connections_max: usize,
    /// How many of them one address may have; this machine may have all.
    pub connections_per_address_max: usize,
    /// How many of them only this machine may have: whoever looks after the service must be able to reach it.
    pub connections_kept_for_this_machine: usize,
    /// Streams at once, of events and logs, of all tokens together. Nobody sends a stream away for another, so they never have the whole room.
    pub streams_max: usize,
    /// How many of them one token may have, and as many again whoever needs none on this machine.
    pub streams_per_caller_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_files(getrlimit(Resource::Nofile).current.unwrap_or(FILES_USUAL))
    }
}

impl Limits {
    /// How often a connection is looked at whose time cannot run out as it stands.
    pub(super) fn look_every(&self) -> Duration {
        let shortest = self.head_within.min(self.idle_max).min(self.answer_pause_max);
        shortest.min(LOOK_EVERY_MAX)
    }

    /// The limits of a process that may open so many files: a quarter of them is for everything else.
    fn for_files(files: u64) -> Self {
        let room = usize::try_from(files / 4 * 3).unwrap_or(CONNECTIONS_MAX);
        let connections_max = room.clamp(8, CONNECTIONS_MAX);
        Self {
            head_within: Duration::from_secs(10),
            idle_max: Duration::from_mins(2),
            body_pause_max: Duration::from_mins(1),
            answer_pause_max: Duration::from_mins(2),
            connections_max,
            connections_per_address_max: connections_max / 2,
            connections_kept_for_this_machine: connections_max / 8,
            streams_max: connections_max / 2,
            streams_per_caller_max: connections_max / 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        let usual = Limits::for_files(1_024);
        assert_eq!(usual.connections_max, 768);
        assert_eq!(Limits::for_files(1 << 20).connections_max, CONNECTIONS_MAX);
        assert!(Limits::for_files(0).connections_per_address_max > 0);
    }
}
