//! What the driver knows of the archive: it says what is durable, and in synchronous mode waits here until that is in the archive as well. Everything else
//! happens in `writer`, beside it.

use crate::config::ArchiveMode;
use crate::journal::JournalError;
use tokio::sync::watch;
use tokio::time::Instant;

/// What the driver tells the writer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// The last durable event.
    pub(super) durable: u64,
    /// The newest local snapshot that is, or is being, written. Segments never reach across it.
    pub(super) snapshot: u64,
}

/// What the writer tells the driver and everybody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last event in the archive.
    pub(crate) archived: u64,
    /// The first event of the last segment: what comes before may be pruned from the local journal.
    pub(crate) prunable: u64,
    /// Whether so many segments follow the last snapshot that a new one is due.
    pub(crate) snapshot_due: bool,
}

/// The driver's side.
#[derive(Debug)]
pub(crate) struct Gate {
    wishes: watch::Sender<Wishes>,
    progress: watch::Receiver<Progress>,
    waits: bool,
    /// Since when the driver has been waiting here.
    waiting: watch::Sender<Option<Instant>>,
    runtime: tokio::runtime::Handle,
}

/// The writer's side.
#[derive(Debug)]
pub(super) struct Post {
    pub(super) wishes: watch::Receiver<Wishes>,
    pub(super) progress: watch::Sender<Progress>,
}

impl Gate {
    /// A gate of a journal that is durable and archived so far; `snapshot` is its newest snapshot, 0 without one.
    pub(super) fn new(mode: ArchiveMode, durable: u64, snapshot: u64, progress: Progress) -> (Self, Post) {
        let (wishes, wishes_in) = watch::channel(Wishes { durable, snapshot });
        let (progress, progress_in) = watch::channel(progress);
        let gate = Self {
            wishes,
            progress: progress_in,
            waits: mode == ArchiveMode::Sync,
            waiting: watch::Sender::new(None),
            runtime: tokio::runtime::Handle::current(),
        };
        let post = Post {
            wishes: wishes_in,
            progress,
        };
        (gate, post)
    }

    /// Says that events up to `last` are durable here. In synchronous mode returns when they are in the archive, too; not from an async thread.
    ///
    /// # Errors
    /// [`JournalError::Unarchived`] when they never will be: another coordinator went on, or this one is to end and the store does not answer.
    pub(crate) fn pass(&mut self, last: u64) -> Result<(), JournalError> {
        self.wishes.send_modify(|wishes| wishes.durable = last);
        if !self.waits {
            return Ok(());
        }
        self.waiting.send_replace(Some(Instant::now()));
        let arrived = self.progress.wait_for(|progress| progress.archived >= last);
        let arrived = self.runtime.block_on(arrived).map(|_| ());
        self.waiting.send_replace(None);
        arrived.map_err(|_| JournalError::Unarchived)
    }

    /// The way to see since when the driver has been waiting here.
    pub(super) fn waiting(&self) -> watch::Receiver<Option<Instant>> {
        self.waiting.subscribe()
    }

    /// Says that a snapshot after the last durable event is being written.
    pub(crate) fn snapshot_taken(&self, sequence: u64) {
        self.wishes.send_modify(|wishes| wishes.snapshot = sequence);
    }

    /// Whether a snapshot is wanted, so that the archive stays short.
    pub(crate) fn wants_snapshot(&self) -> bool {
        let progress = *self.progress.borrow();
        progress.snapshot_due && progress.archived > self.wishes.borrow().snapshot
    }

    /// The first event that must stay in the local journal.
    pub(crate) fn keep_from(&self) -> u64 {
        self.progress.borrow().prunable
    }

    /// The way to watch the writer.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}
