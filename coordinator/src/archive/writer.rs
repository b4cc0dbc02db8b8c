//! Fills slot after slot with what became durable, beside the driver. A store that fails is tried again for ever; a slot that somebody else has filled
//! ends the coordinator.

use super::gate::{Post, Wishes};
use super::place::{Kind, Place};
use super::record::{FORMAT, Segment};
use super::segments::{self, Found};
use super::snapshots::{self, Standing};
use super::{ArchiveError, SEAL_AFTER, epoch};
use crate::config::ArchiveMode;
use crate::journal::{EventReader, Snapshots};
use crate::metrics::Metrics;
use bytes::Bytes;
use serde_bytes::ByteBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tidemill_artifacts::StoreError;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Clock;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// Events of a segment, where the batches of the journal allow it.
const SEGMENT_EVENTS: u64 = 10_000;
/// Segments after which a new snapshot is wanted: what a recovery reads at most, and what the store keeps, is a few times this.
const SEGMENTS_PER_SNAPSHOT: u64 = 4_096;
/// The pause after the first failure, and the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long the end of the coordinator may wait for the last segments.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// How often a writer that has nothing to do looks around.
const IDLE_LOOK: Duration = Duration::from_mins(1);
/// How often a snapshot that is still being written is asked for.
const SNAPSHOT_POLL: Duration = Duration::from_secs(1);

/// The writer of one incarnation.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) place: Place,
    pub(super) reader: Arc<dyn EventReader>,
    /// None for a journal in memory.
    pub(super) local: Option<Snapshots>,
    pub(super) mode: ArchiveMode,
    pub(super) epoch: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) post: Post,
    /// The next slot and what its segment follows.
    pub(super) slot: u64,
    pub(super) previous: Digest,
    /// Segments since the last snapshot in the archive.
    pub(super) since_snapshot: u64,
    /// The first event of this incarnation: until it is archived nobody waits for company.
    pub(super) first_own: u64,
    /// The newest snapshot that stands in the archive or is to stand there.
    pub(super) stood: u64,
    /// A segment that was not taken yet: the same bytes are offered until they are.
    pub(super) sealed: Option<(Segment, Bytes)>,
    /// A snapshot on its way into the archive; one at a time.
    pub(super) putting: JoinSet<PutSnapshot>,
    /// A snapshot whose place in the archive is known and that is not there yet.
    pub(super) snapshot: Option<Standing>,
}

impl Writer {
    /// Runs until the driver has ended and all that it left is archived, or could not be in time.
    ///
    /// # Errors
    /// [`ArchiveError::Superseded`] when another coordinator went on.
    pub(crate) async fn run(self, token: CancellationToken) -> Result<(), ArchiveError> {
        let hurry = async {
            token.cancelled().await;
            sleep(CLOSE_WITHIN).await;
        };
        tokio::select! {
            ended = self.write() => ended,
            () = hurry => {
                tracing::warn!(
                    "the archive could not take the last events in time; the next start of this coordinator brings them there"
                );
                Ok(())
            }
        }
    }

    async fn write(mut self) -> Result<(), ArchiveError> {
        let mut waiting_since: Option<Instant> = None;
        loop {
            let wishes = *self.post.wishes.borrow_and_update();
            self.stand_snapshot(wishes);
            self.begin_snapshot();
            let behind = wishes.durable.saturating_sub(self.archived());
            self.note_lag(behind, waiting_since);
            if behind == 0 {
                waiting_since = None;
            } else {
                let since = *waiting_since.get_or_insert_with(Instant::now);
                let due = self.mode == ArchiveMode::Sync || behind >= SEGMENT_EVENTS;
                // Whoever starts wants its epoch to be known at once.
                if due || self.archived() < self.first_own || since.elapsed() >= SEAL_AFTER {
                    self.advance_patiently(wishes).await?;
                    waiting_since = None;
                    continue;
                }
            }
            let wake = waiting_since.map_or_else(|| Instant::now() + IDLE_LOOK, |since| since + SEAL_AFTER);
            tokio::select! {
                changed = self.post.wishes.changed() => if changed.is_err() {
                    return self.close().await;
                },
                Some(put) = self.putting.join_next(), if !self.putting.is_empty() => self.end_snapshot(&put),
                () = sleep_until(wake) => {}
            }
        }
    }

    fn archived(&self) -> u64 {
        self.post.progress.borrow().archived
    }

    fn note_lag(&self, behind: u64, since: Option<Instant>) {
        let waited = since
            .filter(|_| behind > 0)
            .map_or(Duration::ZERO, |since| since.elapsed());
        let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        self.metrics.archive_lag_events.store(behind, Ordering::Relaxed);
        let began = self.clock.monotonic().0.saturating_sub(waited).max(1);
        let began = if behind == 0 { 0 } else { began };
        self.metrics.archive_behind_since.store(began, Ordering::Relaxed);
    }

    /// Archives a segment, however often the store fails meanwhile.
    async fn advance_patiently(&mut self, wishes: Wishes) -> Result<(), ArchiveError> {
        let mut pause = PAUSE_FIRST;
        let mut has_told = false;
        loop {
            match self.advance(wishes).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_superseded() => return Err(error),
                Err(error) if error.is_of_strangers() => {
                    self.metrics.archive_failures.add(1);
                    self.metrics.archive_strangers.add(u64::from(!has_told));
                    has_told = true;
                    tracing::error!(
                        %error,
                        slot = self.slot,
                        "nothing is archived any more: what lies in the next slot is not this coordinator's. Somebody else writes to `journal/` in the store: take that right away, then delete the object in `segments/`"
                    );
                }
                Err(error) => {
                    self.metrics.archive_failures.add(1);
                    tracing::warn!(%error, event = self.archived() + 1, "a segment could not be archived; trying again");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Seals what is next and puts it into its slot.
    async fn advance(&mut self, wishes: Wishes) -> Result<(), ArchiveError> {
        let (segment, bytes) = match self.sealed.take() {
            Some(sealed) => sealed,
            None => self.seal(wishes).await?,
        };
        match self.place.create(Kind::Segments, self.slot, bytes.clone()).await {
            Ok(()) => self.passed(&segment, Digest::of(&bytes), wishes),
            Err(StoreError::Conflict { .. }) => self.meet(&segment, wishes).await?,
            Err(error) => {
                self.sealed = Some((segment, bytes));
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Takes whole batches of the journal, but never beyond a snapshot: reading goes on behind it.
    async fn seal(&self, wishes: Wishes) -> Result<(Segment, Bytes), ArchiveError> {
        let first = self.archived() + 1;
        let end = if wishes.snapshot >= first {
            wishes.snapshot.min(wishes.durable)
        } else {
            wishes.durable
        };
        let wanted = usize::try_from((end + 1 - first).min(SEGMENT_EVENTS)).unwrap_or(usize::MAX);
        let reader = Arc::clone(&self.reader);
        let read = tokio::task::spawn_blocking(move || reader.read(first, wanted)).await;
        let read = read.map_err(|_| ArchiveError::Silent)??;
        let events: Vec<ByteBuf> = read
            .into_iter()
            .take_while(|(sequence, _)| *sequence <= end)
            .map(|(_, bytes)| ByteBuf::from(bytes))
            .collect();
        if events.is_empty() {
            return Err(ArchiveError::Broken(format!(
                "event {first} is not in the local journal"
            )));
        }
        let segment = Segment {
            format: FORMAT,
            slot: self.slot,
            epoch: self.epoch,
            first,
            previous: self.previous,
            sealed_at: self.clock.now(),
            events,
        };
        let bytes = Bytes::from(segment.to_bytes(self.place.secret()?));
        Ok((segment, bytes))
    }

    fn passed(&mut self, segment: &Segment, hash: Digest, wishes: Wishes) {
        self.slot += 1;
        self.previous = hash;
        self.since_snapshot += 1;
        let snapshot_due = self.since_snapshot >= SEGMENTS_PER_SNAPSHOT;
        self.post.progress.send_modify(|progress| {
            progress.archived = segment.last();
            progress.prunable = segment.first;
            progress.snapshot_due = snapshot_due;
        });
        self.metrics.archive_segments.add(1);
        self.stand_snapshot(wishes);
    }

    /// Finds out who has filled the slot. Perhaps a put of ours, or of the process before this one, of which we never heard; its events are then in our
    /// journal. Otherwise somebody else went on.
    async fn meet(&mut self, ours: &Segment, wishes: Wishes) -> Result<(), ArchiveError> {
        // What a stranger put there is nobody's word. It cannot be deleted here: another coordinator may have done so and filled the slot by then.
        let found = segments::expect(&self.place, self.slot).await?;
        let Found {
            segment: found, hash, ..
        } = found.vouched(&self.place)?;
        let (first, count) = (found.first, found.events.len());
        if found.epoch <= self.epoch && first == ours.first && found.last() <= wishes.durable {
            let reader = Arc::clone(&self.reader);
            let read = tokio::task::spawn_blocking(move || reader.read(first, count)).await;
            let read = read.map_err(|_| ArchiveError::Silent)??;
            let equal = found
                .numbered()
                .eq(read.iter().take(count).map(|(n, bytes)| (*n, bytes.as_slice())));
            if equal {
                self.passed(&found, hash, wishes);
                return Ok(());
            }
        }
        Err(epoch::superseded(&self.place, self.epoch).await)
    }

    /// Notes where in the archive a local snapshot stands, when the segments have reached exactly it.
    fn stand_snapshot(&mut self, wishes: Wishes) {
        if wishes.snapshot <= self.stood || wishes.snapshot != self.archived() {
            return;
        }
        self.stood = wishes.snapshot;
        self.snapshot = Some(Standing {
            sequence: wishes.snapshot,
            slot: self.slot,
            previous: self.previous,
        });
        self.since_snapshot = 0;
        self.post
            .progress
            .send_modify(|progress| progress.snapshot_due = false);
    }

    /// Begins to put the snapshot into the archive, beside the segments: it may be large.
    fn begin_snapshot(&mut self) {
        while let Some(put) = self.putting.try_join_next() {
            self.end_snapshot(&put);
        }
        if !self.putting.is_empty() {
            return;
        }
        if let (Some(standing), Some(local)) = (self.snapshot, self.local.clone()) {
            let place = self.place.clone();
            self.putting
                .spawn(async move { put_snapshot(&place, &local, standing).await });
        }
    }

    /// Notes how that went. A failure only makes the archive longer.
    fn end_snapshot(&mut self, put: &Result<PutSnapshot, JoinError>) {
        match put {
            Ok((sequence, Ok(()))) => {
                tracing::info!(sequence, "archived a snapshot");
                self.snapshot = self.snapshot.filter(|standing| standing.sequence != *sequence);
            }
            Ok((sequence, Err(error))) => {
                self.metrics.archive_failures.add(1);
                tracing::warn!(sequence, %error, "a snapshot could not be archived; trying again");
            }
            Err(error) => tracing::warn!(%error, "a snapshot was not archived"),
        }
    }

    /// The driver has ended: archives what is left.
    async fn close(mut self) -> Result<(), ArchiveError> {
        let wishes = *self.post.wishes.borrow();
        while self.archived() < wishes.durable {
            self.advance_patiently(wishes).await?;
        }
        self.stand_snapshot(wishes);
        self.begin_snapshot();
        while let Some(put) = self.putting.join_next().await {
            self.end_snapshot(&put);
        }
        Ok(())
    }
}

type PutSnapshot = (u64, Result<(), ArchiveError>);

/// Puts a snapshot once it is written here, and deletes what it makes superfluous.
async fn put_snapshot(place: &Place, local: &Snapshots, standing: Standing) -> PutSnapshot {
    let work = async {
        while !snapshots::put(place, local, standing).await? {
            if local
                .list()?
                .last()
                .is_some_and(|newest| *newest > standing.sequence)
            {
                // It was not written, or is forgotten already: a newer one takes its place.
                return Ok(());
            }
            sleep(SNAPSHOT_POLL).await;
        }
        snapshots::prune(place).await
    };
    let done = work.await;
    if done.is_err() {
        sleep(PAUSE_MAX).await;
    }
    (standing.sequence, done)
}
