//! One queue of the in-process bus: messages that are ready, messages that a consumer holds, and the rules by which they move. A
//! small state machine behind one lock that is never held across an await. Which queues there are is the business of `super`.

use crate::broker::{DELIVERY_LIMIT, Depth};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Messages that a durable queue holds, ready and unsettled together. A publisher waits at the limit.
pub const DURABLE_MESSAGES_MAX: usize = 100_000;

/// Messages ready in a queue that drops its oldest (transient queues, dead letters).
pub const DROPPING_MESSAGES_MAX: usize = 10_000;

/// What a queue does when it is full, and whether it needs a consumer to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Exists once declared; a publisher waits for room.
    Durable,
    /// Exists once declared; the oldest message gives way, because the bus itself publishes here and cannot wait.
    DeadLetters,
    /// Exists while it has a consumer; the oldest message gives way.
    Transient,
}

#[derive(Debug)]
struct Message {
    bytes: Bytes,
    /// How often it came back from a consumer.
    returns: u32,
}

/// What one consumer may hold and holds.
#[derive(Debug)]
struct Seat {
    window: usize,
    unsettled: HashMap<u64, Message>,
    /// Its window or what it holds changed.
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    declared: bool,
    ready: VecDeque<Message>,
    seats: HashMap<u64, Seat>,
    /// Messages held by all seats together.
    unsettled: usize,
    last_id: u64,
}

impl State {
    fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// An attempt to put a message into a queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    Taken,
    /// There is no such queue.
    Missing,
    /// No room; the message comes back.
    Full(Bytes),
}

/// An attempt to take a message for a consumer.
#[derive(Debug)]
pub(super) enum Take {
    Message {
        id: u64,
        bytes: Bytes,
        redelivered: bool,
    },
    /// Nothing is ready.
    Empty,
    /// The consumer's window is used up.
    NoRoom,
}

#[derive(Debug)]
pub(super) struct LocalQueue {
    kind: Kind,
    state: Mutex<State>,
    dead_letters: Option<Arc<Self>>,
    /// A message became ready.
    pub(super) arrived: Notify,
    /// A message left for good.
    pub(super) room: Notify,
}

impl LocalQueue {
    pub(super) fn new(kind: Kind, dead_letters: Option<Arc<Self>>) -> Self {
        Self {
            kind,
            state: Mutex::default(),
            dead_letters,
            arrived: Notify::new(),
            room: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing between lock and unlock can panic half-way through a change, so a poisoned lock still guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn declare(&self) {
        self.state().declared = true;
        if let Some(dead_letters) = &self.dead_letters {
            dead_letters.declare();
        }
    }

    pub(super) fn put(&self, bytes: Bytes) -> Put {
        let mut state = self.state();
        if !state.declared {
            return Put::Missing;
        }
        if self.kind == Kind::Durable {
            if state.ready.len() + state.unsettled >= DURABLE_MESSAGES_MAX {
                return Put::Full(bytes);
            }
        } else if state.ready.len() >= DROPPING_MESSAGES_MAX {
            state.ready.pop_front();
        }
        state.ready.push_back(Message { bytes, returns: 0 });
        drop(state);
        self.arrived.notify_one();
        Put::Taken
    }

    /// A new consumer's seat.
    pub(super) fn sit(&self, window: u32, changed: Arc<Notify>) -> u64 {
        let mut state = self.state();
        if self.kind == Kind::Transient {
            state.declared = true;
        }
        let seat = state.id();
        state.seats.insert(
            seat,
            Seat {
                window: window as usize,
                unsettled: HashMap::new(),
                changed,
            },
        );
        seat
    }

    pub(super) fn take(&self, seat: u64) -> Take {
        let mut guard = self.state();
        let state = &mut *guard;
        let id = state.id();
        let Some(place) = state.seats.get_mut(&seat) else {
            return Take::NoRoom;
        };
        if place.unsettled.len() >= place.window {
            let pass_on = !state.ready.is_empty();
            drop(guard);
            if pass_on {
                // We may have been woken for a message that we cannot take any more: wake another in our place.
                self.arrived.notify_one();
            }
            return Take::NoRoom;
        }
        let Some(message) = state.ready.pop_front() else {
            return Take::Empty;
        };
        let bytes = message.bytes.clone();
        let redelivered = message.returns > 0;
        place.unsettled.insert(id, message);
        state.unsettled += 1;
        Take::Message {
            id,
            bytes,
            redelivered,
        }
    }

    pub(super) fn set_window(&self, seat: u64, window: u32) {
        if let Some(place) = self.state().seats.get_mut(&seat) {
            place.window = window as usize;
            place.changed.notify_one();
        }
    }

    /// Removes a held message; false when the consumer is gone, and the message with it.
    pub(super) fn ack(&self, seat: u64, id: u64) -> bool {
        let settled = self.release(seat, id).is_some();
        if settled {
            self.room.notify_one();
        }
        settled
    }

    /// Gives a held message back, or sets it aside; false as in [`Self::ack`].
    pub(super) fn reject(&self, seat: u64, id: u64, requeue: bool) -> bool {
        let Some(message) = self.release(seat, id) else {
            return false;
        };
        if requeue {
            self.give_back(vec![message]);
        } else {
            self.set_aside(message);
        }
        true
    }

    /// Ends a consumer; what it holds goes back.
    pub(super) fn leave(&self, seat: u64) {
        let mut state = self.state();
        let Some(place) = state.seats.remove(&seat) else {
            return;
        };
        state.unsettled -= place.unsettled.len();
        let last = state.seats.is_empty();
        if self.kind == Kind::Transient && last {
            state.declared = false;
            state.ready.clear();
            return;
        }
        drop(state);
        let mut held: Vec<(u64, Message)> = place.unsettled.into_iter().collect();
        held.sort_unstable_by_key(|(id, _)| *id);
        self.give_back(held.into_iter().map(|(_, message)| message).collect());
    }

    pub(super) fn depth(&self) -> Option<Depth> {
        let state = self.state();
        state.declared.then(|| Depth {
            ready: state.ready.len() as u64,
            unsettled: Some(state.unsettled as u64),
            consumers: state.seats.values().filter(|seat| seat.window > 0).count() as u64,
        })
    }

    pub(super) fn purge(&self) -> Option<u64> {
        let mut state = self.state();
        if !state.declared {
            return None;
        }
        let purged = mem::take(&mut state.ready).len();
        drop(state);
        self.room.notify_waiters();
        Some(purged as u64)
    }

    /// Forgets the queue and its messages, as an operator's delete does; consumers stay and wait for it to be declared again.
    pub(super) fn delete(&self) {
        let mut state = self.state();
        state.declared = false;
        state.ready.clear();
        state.unsettled = 0;
        for seat in state.seats.values_mut() {
            seat.unsettled.clear();
            seat.changed.notify_one();
        }
        drop(state);
        self.room.notify_waiters();
    }

    fn release(&self, seat: u64, id: u64) -> Option<Message> {
        let mut state = self.state();
        let place = state.seats.get_mut(&seat)?;
        let message = place.unsettled.remove(&id)?;
        place.changed.notify_one();
        state.unsettled -= 1;
        Some(message)
    }

    /// To the front, in order: what came back is older than what waits.
    fn give_back(&self, messages: Vec<Message>) {
        let (again, too_often): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .map(|message| Message {
                returns: message.returns + 1,
                ..message
            })
            .partition(|message| self.kind != Kind::Durable || message.returns <= DELIVERY_LIMIT);
        let count = again.len();
        let mut state = self.state();
        for message in again.into_iter().rev() {
            state.ready.push_front(message);
        }
        drop(state);
        for _ in 0..count {
            self.arrived.notify_one();
        }
        for message in too_often {
            self.set_aside(message);
        }
    }

    fn set_aside(&self, message: Message) {
        if let Some(dead_letters) = &self.dead_letters {
            // The dead letters are declared with the first durable queue and never refuse.
            let _taken = dead_letters.put(message.bytes);
        }
        self.room.notify_one();
    }
}
