//! The journal in memory: for tests and throw-away runs. It keeps what a disk would keep: a batch whose flush failed stands in an unflushed
//! tail, which is forgotten when the journal is opened again.

use super::JournalError;
use super::log::{Batch, EventLog, EventReader, unframe};
use std::sync::{Arc, Mutex, PoisonError};

/// A journal in memory. Clones share their content, so that a test can stop a coordinator and start another on what the first one left.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Durable events; the first has sequence number `pruned + 1`.
    events: Vec<Vec<u8>>,
    pruned: u64,
    /// Written and not flushed.
    unflushed: Vec<Vec<u8>>,
    flush_fails: bool,
}

impl MemoryLog {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on flushing fails, as on a broken disk: batches are written, and lost.
    pub fn break_flush(&self) {
        self.with(|shared| shared.flush_fails = true);
    }

    /// What a power cut does: forgets the unflushed tail and mends the disk. Answers how many events were forgotten.
    pub fn power_cut(&self) -> usize {
        self.with(|shared| {
            shared.flush_fails = false;
            std::mem::take(&mut shared.unflushed).len()
        })
    }

    fn with<R>(&self, body: impl FnOnce(&mut Shared) -> R) -> R {
        body(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    fn last(&self) -> u64 {
        self.pruned + self.events.len() as u64
    }
}

impl EventLog for MemoryLog {
    fn append(&mut self, batch: &Batch) -> Result<u64, JournalError> {
        let events = unframe(batch.framed(), batch.len()).expect("a batch frames its own events");
        self.with(|shared| {
            if shared.flush_fails {
                shared.unflushed.extend(events);
                return Err(JournalError::Poisoned);
            }
            shared.events.extend(events);
            Ok(shared.last())
        })
    }

    fn last(&self) -> u64 {
        self.with(|shared| shared.last())
    }

    fn first(&self) -> u64 {
        self.with(|shared| shared.pruned + 1)
    }

    fn settle(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn prune(&mut self, first: u64) -> Result<(), JournalError> {
        self.with(|shared| {
            let pruned = first.saturating_sub(1).clamp(shared.pruned, shared.last());
            let gone = usize::try_from(pruned - shared.pruned).expect("what is in memory can be counted");
            shared.events.drain(..gone);
            shared.pruned = pruned;
        });
        Ok(())
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(self.clone())
    }
}

impl EventReader for MemoryLog {
    fn read(&self, from: u64, wanted: usize) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
        self.with(|shared| {
            let from = from.max(shared.pruned + 1);
            let skip = usize::try_from(from - shared.pruned - 1).unwrap_or(usize::MAX);
            let events = shared.events.iter().skip(skip).take(wanted).cloned();
            Ok((from..).zip(events).collect())
        })
    }
}
