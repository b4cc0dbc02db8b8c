//! The hand-over between a subscription and its consumer: deliveries that the broker has sent and nobody has taken. Either side may
//! empty it: the consumer takes, the subscription takes back. Bounded by the window, which the broker enforces.

use super::desk::{LaneId, Parcel};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
struct State {
    parcels: VecDeque<Parcel>,
    paused: bool,
    closed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Notify,
    /// The consumer is gone.
    pub(super) abandoned: CancellationToken,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, parcel: Parcel) {
        self.state().parcels.push_back(parcel);
        self.changed.notify_one();
    }

    /// The oldest parcel; none when the bus is closed. Safe to cancel.
    pub(super) async fn next(&self) -> Option<Parcel> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                if state.closed {
                    return None;
                }
                if !state.paused
                    && let Some(parcel) = state.parcels.pop_front()
                {
                    return Some(parcel);
                }
            }
            changed.await;
        }
    }

    /// While paused, nothing is handed out: what is here is on its way back.
    pub(super) fn pause(&self, paused: bool) {
        self.state().paused = paused;
        self.changed.notify_one();
    }

    /// Takes back what a lane delivered.
    pub(super) fn take_back(&self, lane: LaneId) -> Vec<Parcel> {
        let mut state = self.state();
        let (back, stay) = state.parcels.drain(..).partition(|parcel| parcel.lane() == lane);
        state.parcels = stay;
        back.into()
    }

    /// Forgets everything: it belongs to a connection that is gone.
    pub(super) fn clear(&self) {
        self.state().parcels.clear();
    }

    /// No more: the bus is closed.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.parcels.clear();
        drop(state);
        self.changed.notify_one();
    }
}
