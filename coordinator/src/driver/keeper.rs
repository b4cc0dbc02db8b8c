//! Keeps the journal: appends, and now and then a snapshot of the engine so that a restart stays short. A snapshot is taken between two batches and written
//! on a thread of its own; events that it makes superfluous are pruned once enough snapshots stand.

use super::recover::snapshot_bytes;
use crate::archive::Gate;
use crate::journal::{Batch, EventLog, JournalError, SNAPSHOTS_KEPT, Snapshots};
use crate::ledger::Ledgers;
use std::collections::BTreeMap;
use std::thread::JoinHandle;
use tidemill_engine::Engine;
use tidemill_protocol::ids::RunId;

/// The journal and its snapshots.
#[derive(Debug)]
pub(crate) struct Keeper {
    log: Box<dyn EventLog>,
    /// None for a journal in memory.
    snapshots: Option<Snapshots>,
    every: u64,
    /// The sequence number of the newest snapshot.
    taken_at: u64,
    writing: Option<JoinHandle<Result<u64, JournalError>>>,
    /// None when nothing is archived.
    gate: Option<Gate>,
}

impl Keeper {
    /// A keeper that takes a snapshot every so many events; the newest one covers events up to `taken_at`.
    pub(crate) fn new(
        log: Box<dyn EventLog>,
        snapshots: Option<Snapshots>,
        every: u64,
        taken_at: u64,
    ) -> Self {
        Self {
            log,
            snapshots,
            every,
            taken_at,
            writing: None,
            gate: None,
        }
    }

    /// The sequence number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.log.last()
    }

    /// Has everything archived, too.
    pub(crate) fn archive_through(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    /// Makes a batch durable: here, and in the archive where that is to be waited for.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<u64, JournalError> {
        let last = self.log.append(batch)?;
        if let Some(gate) = &mut self.gate {
            gate.pass(last)?;
        }
        Ok(last)
    }

    /// Called every second or so, because it costs a sync: brings the journal's own protection up to date on disk.
    pub(crate) fn settle(&mut self) -> Result<(), JournalError> {
        self.log.settle()
    }

    /// Takes a snapshot when enough has happened since the last, and prunes when one was written.
    pub(crate) fn keep(
        &mut self,
        engine: &Engine,
        ledgers: &Ledgers,
        began: &BTreeMap<RunId, u64>,
    ) -> Result<(), JournalError> {
        if self.writing.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish_writing()?;
        }
        let Some(snapshots) = &self.snapshots else {
            return Ok(());
        };
        let wanted = self.gate.as_ref().is_some_and(Gate::wants_snapshot);
        let due = wanted || self.log.last() >= self.taken_at + self.every;
        if self.writing.is_some() || !due {
            return Ok(());
        }
        // HEAD first: it must never be behind a snapshot.
        self.log.settle()?;
        let sequence = self.log.last();
        let (snapshots, state) = (snapshots.clone(), snapshot_bytes(engine, ledgers, began));
        let write = std::thread::Builder::new()
            .name("snapshot".into())
            .spawn(move || snapshots.write(sequence, &state))
            .map_err(|source| JournalError::Io {
                action: "start a thread for",
                path: "a snapshot".into(),
                source,
            })?;
        self.writing = Some(write);
        self.taken_at = sequence;
        if let Some(gate) = &self.gate {
            gate.snapshot_taken(sequence);
        }
        Ok(())
    }

    fn finish_writing(&mut self) -> Result<(), JournalError> {
        let Some(writing) = self.writing.take() else {
            return Ok(());
        };
        let oldest = writing.join().expect("writing a snapshot does not panic")?;
        let kept = self.snapshots.as_ref().map_or(Ok(Vec::new()), Snapshots::list)?;
        tracing::info!(oldest, snapshots = kept.len(), "wrote a snapshot");
        if kept.len() == SNAPSHOTS_KEPT {
            // What is not archived yet stays, however long the store is away.
            let limit = self.gate.as_ref().map_or(u64::MAX, Gate::keep_from);
            self.log.prune((oldest + 1).min(limit))?;
        }
        Ok(())
    }

    /// The end: waits for a snapshot that is being written.
    pub(crate) fn close(mut self) -> Result<(), JournalError> {
        self.finish_writing()?;
        self.log.settle()
    }
}
