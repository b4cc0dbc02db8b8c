//! One worker as it was last heard of.

use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{Heartbeat, Offer, RunningAttempt};

/// One worker as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    incarnation: u64,
    offer: Offer,
    running: Vec<RunningAttempt>,
    heard: Millis,
    heard_at: Timestamp,
    silent: bool,
}

impl Worker {
    pub(super) fn heard(now: Millis, wall: Timestamp, heartbeat: &Heartbeat) -> Self {
        Self {
            incarnation: heartbeat.incarnation,
            offer: heartbeat.offer.clone(),
            running: heartbeat.running.clone(),
            heard: now,
            heard_at: wall,
            silent: false,
        }
    }

    pub(super) fn is_overdue(&self, now: Millis, lease: Millis) -> bool {
        now.0.saturating_sub(self.heard.0) >= lease.0
    }

    pub(super) const fn fall_silent(&mut self) {
        self.silent = true;
    }

    pub(super) const fn excuse(&mut self, now: Millis) {
        self.heard = now;
    }

    /// Which start of the daemon it is.
    pub const fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// What it offers.
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// What it worked on.
    pub fn running(&self) -> &[RunningAttempt] {
        &self.running
    }

    /// When it was last heard of, by the wall clock.
    pub const fn heard_at(&self) -> Timestamp {
        self.heard_at
    }

    /// Whether it has been silent for longer than a lease.
    pub const fn is_silent(&self) -> bool {
        self.silent
    }
}
