//! Brings a local journal up to the archive, and keeps it there: for a recovery once, for a standby again and again. Every segment must follow from the one
//! before; what is here already must be what the archive has; and nothing comes here that the coordinator's key has not signed.

use super::place::{Kind, Place};
use super::record::{FORMAT, GENESIS, Segment};
use super::segments::{self, Found, Slots};
use super::{ArchiveError, snapshots};
use crate::blocking::blocking;
use crate::journal::{self, Batch, Claim, EventLog, JournalError, SledLog, Snapshots};
use serde_bytes::ByteBuf;
use std::path::{Path, PathBuf};
use tidemill_artifacts::StoreError;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Timestamp;

/// Events that become one batch of the local journal.
const BATCH_EVENTS: usize = 1_000;

/// A local journal that follows an archive.
#[derive(Debug)]
pub(super) struct Follower {
    place: Place,
    dir: PathBuf,
    /// None while it is in use on another thread.
    log: Option<SledLog>,
    slot: u64,
    /// The hash of the segment before the slot; none where nothing before it was read.
    previous: Option<Digest>,
    /// The epoch in which the segment before the slot was sealed; 0 where none was read.
    sealed_in: u64,
    /// Segments read.
    pub(super) segments: u64,
}

impl Follower {
    /// Follows into a new journal in `dir`, from the oldest segment that is kept. The journal is claimed while the follower lives.
    ///
    /// # Errors
    /// [`ArchiveError::Broken`] when neither the first event nor a snapshot that stands for what is missing can be had.
    pub(super) async fn anew(place: Place, dir: &Path, slots: Slots) -> Result<Self, ArchiveError> {
        let first = if slots.is_empty() {
            let snapshot = snapshots::newest(&place, u64::MAX).await?;
            snapshot.map_or(1, |snapshot| snapshot.sequence + 1)
        } else {
            segments::expect(&place, slots.first).await?.segment.first
        };
        let key = place.key().to_owned();
        let claimed = dir.to_owned();
        let log = on_files(move || journal::create_at(Claim::take(&claimed)?, first, key.as_bytes())).await?;
        let previous = (slots.first == 1).then_some(GENESIS);
        Ok(Self {
            place,
            dir: dir.to_owned(),
            log: Some(log),
            slot: slots.first,
            previous,
            sealed_in: 0,
            segments: 0,
        })
    }

    /// Goes on with the journal in `dir`. None when the archive has no place for it any more: it was pruned beyond the journal's end.
    ///
    /// # Errors
    /// [`ArchiveError::Diverged`] when the journal holds events that are not the archive's.
    pub(super) async fn resume(
        place: Place,
        log: SledLog,
        dir: &Path,
        slots: Slots,
    ) -> Result<Option<Self>, ArchiveError> {
        let last = log.last();
        let slot = match last {
            0 => (slots.first == 1).then_some(1),
            last => match segments::slot_of(&place, slots, last).await? {
                None if slots.is_empty() => Some(1),
                found => found,
            },
        };
        let Some(slot) = slot else { return Ok(None) };
        let mut follower = Self {
            place,
            dir: dir.to_owned(),
            log: Some(log),
            slot,
            previous: None,
            sealed_in: 0,
            segments: 0,
        };
        follower.advance().await?;
        Ok(Some(follower))
    }

    fn log(&self) -> &SledLog {
        self.log.as_ref().expect("the journal is back between two calls")
    }

    /// The last event that is here.
    pub(super) fn last(&self) -> u64 {
        self.log().last()
    }

    /// The first event that is here.
    pub(super) fn first(&self) -> u64 {
        self.log().first()
    }

    /// Takes every segment that has come since. Answers how many events were new.
    pub(super) async fn advance(&mut self) -> Result<u64, ArchiveError> {
        let before = self.last();
        while let Some(found) = segments::read(&self.place, self.slot).await? {
            // What is here already may be confirmed by anybody: it is compared.
            let found = if found.segment.last() > self.last() {
                found.vouched(&self.place)?
            } else {
                found
            };
            let begins = self.place.trust().accepts(found.voucher);
            let Found { segment, hash, .. } = found;
            if self.previous.is_some_and(|previous| previous != segment.previous) {
                let reason = format!(
                    "the segment in slot {} does not follow from the one before it",
                    self.slot
                );
                return Err(ArchiveError::Broken(reason));
            }
            if segment.first > self.last() + 1 {
                let reason = format!("after event {} it has event {}", self.last(), segment.first);
                return Err(ArchiveError::Broken(reason));
            }
            let sealed_in = segment.epoch;
            self.take(segment).await?;
            // Whose epoch it is, only the coordinator's key says.
            if begins {
                self.sealed_in = sealed_in;
            }
            self.slot += 1;
            self.segments += 1;
            self.previous = Some(hash);
        }
        Ok(self.last() - before)
    }

    /// Fills the next slot with the beginning of an epoch, and reads it back as everybody will. False when somebody else was quicker: what they put there is
    /// here then, and the slot after it is the next one.
    pub(super) async fn begin(&mut self, epoch: u64, now: Timestamp) -> Result<bool, ArchiveError> {
        let beginning = Event {
            at: now,
            fact: Fact::EpochStarted { epoch },
        };
        let previous = self.previous.ok_or_else(|| {
            ArchiveError::Broken("it holds no segment from which an epoch could begin".to_owned())
        })?;
        let segment = Segment {
            format: FORMAT,
            slot: self.slot,
            epoch,
            first: self.last() + 1,
            previous,
            sealed_at: now,
            events: vec![ByteBuf::from(codec::encode(&beginning))],
        };
        let bytes = segment.to_bytes(self.place.secret()?).into();
        match self.place.create(Kind::Segments, self.slot, bytes).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.advance().await?;
        Ok(self.sealed_in >= epoch)
    }

    /// Compares what is here and appends the rest.
    async fn take(&mut self, segment: Segment) -> Result<(), ArchiveError> {
        let log = self.log.take().expect("the journal is back between two calls");
        let (log, taken) = blocking(move || {
            let mut log = log;
            let taken = append(&mut log, &segment);
            (log, taken)
        })
        .await;
        self.log = Some(log);
        taken
    }

    /// Brings the archive's newest snapshot here, so that a start is short, and prunes what it makes superfluous.
    pub(super) async fn take_snapshot(&mut self) -> Result<(), ArchiveError> {
        let local = Snapshots::of(&self.dir);
        let have = local.list()?.last().copied().unwrap_or(0);
        let Some(snapshot) = snapshots::newest(&self.place, self.last()).await? else {
            return Ok(());
        };
        if snapshot.sequence <= have {
            return Ok(());
        }
        let mut log = self.log.take().expect("the journal is back between two calls");
        let (log, done) = blocking(move || {
            let done = (|| {
                // HEAD first: it must never be behind a snapshot.
                log.settle()?;
                let oldest = local.write(snapshot.sequence, &snapshot.state)?;
                if local.list()?.len() == journal::SNAPSHOTS_KEPT {
                    log.prune(oldest + 1)?;
                }
                Ok::<_, JournalError>(())
            })();
            (log, done)
        })
        .await;
        self.log = Some(log);
        Ok(done?)
    }

    /// Whether what is here stands on event 1 or on a snapshot.
    pub(super) fn check_base(&self) -> Result<(), ArchiveError> {
        let local = Snapshots::of(&self.dir);
        let newest = local.list()?.last().copied().unwrap_or(0);
        if newest + 1 < self.first() {
            let reason = format!(
                "its first event is {}, and no sound snapshot stands for what came before",
                self.first()
            );
            return Err(ArchiveError::Broken(reason));
        }
        Ok(())
    }

    /// Closes the journal, durably.
    pub(super) async fn close(mut self) -> Result<(), ArchiveError> {
        let mut log = self.log.take().expect("the journal is back between two calls");
        on_files(move || log.settle()).await
    }
}

fn append(log: &mut SledLog, segment: &Segment) -> Result<(), ArchiveError> {
    let last = log.last();
    if segment.first <= last {
        let count = usize::try_from(last + 1 - segment.first).unwrap_or(usize::MAX);
        let here = log
            .reader()
            .read(segment.first, count.min(segment.events.len()))?;
        let mut known = segment
            .numbered()
            .filter(|(sequence, _)| *sequence <= last && *sequence >= log.first());
        let differs = known.find(|(sequence, bytes)| {
            let found = here.binary_search_by_key(sequence, |(number, _)| *number);
            found.map_or(true, |at| here[at].1 != *bytes)
        });
        if let Some((sequence, _)) = differs {
            return Err(ArchiveError::Diverged { sequence });
        }
    }
    let fresh: Vec<&[u8]> = segment
        .numbered()
        .filter(|(sequence, _)| *sequence > last)
        .map(|(_, bytes)| bytes)
        .collect();
    for chunk in fresh.chunks(BATCH_EVENTS) {
        let mut batch = Batch::default();
        for event in chunk {
            batch.push(event);
        }
        log.append(&batch)?;
    }
    Ok(())
}

/// Work on the journal's files.
pub(super) async fn on_files<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, ArchiveError> {
    Ok(blocking(work).await?)
}
