//! The narrow face of a journal: append a batch durably; read from a sequence number.

use super::JournalError;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use tidemill_protocol::codec;

/// Events to be appended together, each as bytes. Bounded by whoever fills it.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Every event as its length (u32, little-endian) and its bytes.
    framed: Vec<u8>,
    events: u32,
}

impl Batch {
    /// Adds an event's bytes.
    ///
    /// # Panics
    /// When one event has 4 GiB or more: request bodies are bounded far below.
    pub fn push(&mut self, bytes: &[u8]) {
        let length = u32::try_from(bytes.len()).expect("an event is far smaller than 4 GiB");
        self.framed.extend_from_slice(&length.to_le_bytes());
        self.framed.extend_from_slice(bytes);
        self.events += 1;
    }

    /// Adds an event as MessagePack.
    pub fn push_event<T: Serialize>(&mut self, event: &T) {
        self.push(&codec::encode(event));
    }

    /// How many events it holds.
    pub fn len(&self) -> u32 {
        self.events
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.framed.clear();
        self.events = 0;
    }

    pub(super) fn framed(&self) -> &[u8] {
        &self.framed
    }
}

/// Takes the framed events of a batch apart; none when the frame is broken or does not hold exactly `events`.
pub(super) fn unframe(mut framed: &[u8], events: u32) -> Option<Vec<Vec<u8>>> {
    let mut list = Vec::with_capacity(events.min(65_536) as usize);
    while let Some((length, rest)) = framed.split_first_chunk::<4>() {
        let (event, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        list.push(event.to_vec());
        framed = rest;
    }
    (framed.is_empty() && list.len() == events as usize).then_some(list)
}

/// An append-only sequence of events, numbered from 1 without gaps.
pub trait EventLog: fmt::Debug + Send {
    /// Appends a batch (not empty) and answers the sequence number of its last event. Durable when it returns; a batch is there whole or not at all.
    /// After an error nothing more may be appended.
    fn append(&mut self, batch: &Batch) -> Result<u64, JournalError>;

    /// The sequence number of the last durable event; 0 when there is none.
    fn last(&self) -> u64;

    /// The sequence number of the first event that is kept; 1 unless older ones were pruned.
    fn first(&self) -> u64;

    /// Brings what protects the journal (and not the events themselves) up to date on disk. Costs a sync: for now and then.
    fn settle(&mut self) -> Result<(), JournalError>;

    /// Forgets events before `first`, which a snapshot covers. `first` must be the first of a batch or it is lowered to one.
    fn prune(&mut self, first: u64) -> Result<(), JournalError>;

    /// A way to read beside the writer, from any thread.
    fn reader(&self) -> Arc<dyn EventReader>;
}

/// Reads durable events.
pub trait EventReader: fmt::Debug + Send + Sync {
    /// The events from sequence number `from` on: whole batches until at least `wanted` events are together or the end is reached.
    /// Starts at the first kept event when `from` was pruned.
    fn read(&self, from: u64, wanted: usize) -> Result<Vec<(u64, Vec<u8>)>, JournalError>;
}
