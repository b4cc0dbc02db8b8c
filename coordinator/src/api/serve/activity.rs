//! What one connection is doing, and until when it may. Told by the bytes that pass and by the requests that begin and end; knows no socket and no clock.

use super::limits::Limits;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// What one connection is doing.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Since when the client takes none of what waits for it.
    blocked_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request is on its way, or the first one is waited for.
    Head,
    /// A request is being answered, perhaps by a stream that lasts for days.
    Answering,
    /// The last answer is finished and no new request has begun.
    Idle,
}

impl Activity {
    /// A new connection.
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State {
            phase: Phase::Head,
            since: now,
            blocked_since: None,
        }))
    }

    /// The time for the first request begins now: what came before was the handshake.
    pub(super) fn greeted(&self, now: Instant) {
        self.lock().since = now;
    }

    /// Bytes came in.
    pub(super) fn heard(&self, now: Instant) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head, now);
        }
    }

    /// The head of a request is complete.
    pub(super) fn begin(&self, now: Instant) {
        self.lock().enter(Phase::Answering, now);
    }

    /// The answer has been handed over to be sent, or given up.
    pub(super) fn finish(&self, now: Instant) {
        self.lock().enter(Phase::Idle, now);
    }

    /// The client takes nothing.
    pub(super) fn blocked(&self, now: Instant) {
        self.lock().blocked_since.get_or_insert(now);
    }

    /// The client took something.
    pub(super) fn moved(&self) {
        self.lock().blocked_since = None;
    }

    /// Until when it may go on like this; none for as long as it likes.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let state = self.lock();
        let phase = match state.phase {
            Phase::Head => Some(state.since + limits.head_within),
            Phase::Answering => None,
            Phase::Idle => Some(state.since + limits.idle_max),
        };
        let blocked = state.blocked_since.map(|since| since + limits.answer_pause_max);
        [phase, blocked].into_iter().flatten().min()
    }

    /// Since when nothing is asked of us; none while we answer.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.phase != Phase::Answering).then_some(state.since)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_head_has_little_time_an_idle_connection_more_and_an_answer_all_it_needs() {
        let limits = Limits::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(at(0));
        activity.heard(at(5));
        assert_eq!(
            activity.deadline(&limits),
            Some(at(0) + limits.head_within),
            "a byte now and then gains no time"
        );
        activity.begin(at(6));
        assert_eq!(
            (activity.deadline(&limits), activity.waiting_since()),
            (None, None)
        );
        activity.heard(at(7));
        activity.finish(at(8));
        assert_eq!(activity.deadline(&limits), Some(at(8) + limits.idle_max));
        activity.heard(at(9));
        activity.heard(at(10));
        assert_eq!(activity.deadline(&limits), Some(at(9) + limits.head_within));
        assert_eq!(activity.waiting_since(), Some(at(9)));
    }

    #[test]
    fn a_client_that_takes_nothing_is_waited_for_only_so_long() {
        let limits = Limits::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let activity = Activity::new(start);
        activity.begin(at(1));
        activity.blocked(at(2));
        activity.blocked(at(3));
        assert_eq!(activity.deadline(&limits), Some(at(2) + limits.answer_pause_max));
        activity.moved();
        assert_eq!(activity.deadline(&limits), None);
    }
}
