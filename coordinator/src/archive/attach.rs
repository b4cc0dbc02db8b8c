//! The beginning: compares the local journal with its archive, claims the next epoch, and makes the parts that keep both.

use super::beats::Beats;
use super::gate::{Gate, Progress};
use super::place::{Kind, Place};
use super::reach::Reach;
use super::record::{GENESIS, Segment};
use super::segments::{self, Found, Slots};
use super::sure::Sure;
use super::trust::Trust;
use super::writer::Writer;
use super::{ArchiveError, epoch};
use crate::config::ArchiveConfig;
use crate::journal::{EventReader, Snapshots};
use crate::metrics::Metrics;
use std::sync::Arc;
use tidemill_artifacts::ArtifactStore;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Clock;
use tidemill_protocol::wire::SignerKey;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The local journal, as it was opened.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The way to read it.
    pub(crate) reader: Arc<dyn EventReader>,
    /// The first event that is kept.
    pub(crate) first: u64,
    /// The last event.
    pub(crate) last: u64,
    /// Its snapshots; none for a journal in memory.
    pub(crate) snapshots: Option<Snapshots>,
    /// The event that its newest snapshot covers, 0 without one.
    pub(crate) snapshot: u64,
    /// Its epoch.
    pub(crate) epoch: u64,
}

/// An archive in use.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The epoch that was claimed.
    pub(crate) epoch: u64,
    /// For the driver.
    pub(crate) gate: Gate,
    /// What runs beside it.
    pub(crate) copying: Copying,
    /// For whoever acts on the world.
    pub(crate) sure: Sure,
    /// For whoever answers.
    pub(crate) reach: Reach,
}

/// What runs beside the driver.
#[derive(Debug)]
pub(crate) struct Copying {
    pub(crate) writer: Writer,
    pub(crate) beats: Beats,
    /// How far the archive has come.
    pub(crate) progress: watch::Receiver<Progress>,
    /// The first event of this incarnation.
    pub(crate) first: u64,
}

/// Where the archive ends.
struct End {
    slot: u64,
    hash: Digest,
    found: Option<Found>,
}

/// Attaches the journal to the archive that the coordinator's key signs.
///
/// # Errors
/// [`ArchiveError::Behind`] and [`ArchiveError::Diverged`] when the archive went on without this journal, and whatever the store answers.
pub(crate) async fn attach(
    (store, key): (ArtifactStore, &SignerKey),
    config: &ArchiveConfig,
    journal: Journal,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
) -> Result<Attached, ArchiveError> {
    let place = Place::of(store, Trust::of(key));
    let slots = segments::slots(&place).await?;
    let end = end(&place, slots).await?;
    let progress = compare(&place, &journal, end.found).await?;
    // One that stands for more than there is, nobody of us has put there.
    let mut snapshots = place.numbers(Kind::Snapshots).await?;
    snapshots.retain(|number| *number <= journal.last);
    let stood = snapshots.pop().unwrap_or(0);
    let claimed = Instant::now();
    let claimant = (config.address.as_str(), config.mode);
    let epoch = epoch::claim(&place, journal.epoch, claimant, clock.now()).await?;
    tracing::info!(
        epoch,
        archived = progress.archived,
        last = journal.last,
        "claimed the epoch in the archive"
    );
    let first = journal.last + 1;
    let (gate, post) = Gate::new(config.mode, journal.last, journal.snapshot, progress);
    let (mut beats, sure) = Beats::new(place.clone(), epoch, claimed, Arc::clone(&metrics));
    // Before anything else is done, so that nobody recovers from this archive meanwhile.
    beats.beat().await?;
    let writer = Writer {
        place,
        reader: journal.reader,
        local: journal.snapshots,
        mode: config.mode,
        epoch,
        clock,
        metrics,
        post,
        slot: end.slot,
        previous: end.hash,
        since_snapshot: if slots.is_empty() {
            0
        } else {
            slots.last + 1 - slots.first
        },
        first_own: first,
        stood,
        sealed: None,
        putting: JoinSet::new(),
        snapshot: None,
    };
    Ok(Attached {
        epoch,
        copying: Copying {
            writer,
            beats,
            progress: gate.progress(),
            first,
        },
        reach: Reach::of(config.mode, sure.clone(), gate.waiting()),
        gate,
        sure,
    })
}

async fn end(place: &Place, slots: Slots) -> Result<End, ArchiveError> {
    if slots.is_empty() {
        return Ok(End {
            slot: 1,
            hash: GENESIS,
            found: None,
        });
    }
    let found = segments::expect(place, slots.last).await?;
    Ok(End {
        slot: slots.last + 1,
        hash: found.hash,
        found: Some(found),
    })
}

/// Refuses a journal that does not hold what the archive holds. The last segment stands for all: each follows from the one before. One that nobody signed is from
/// before there were signatures if it says what the journal says; if it says anything else, nobody believes it.
async fn compare(place: &Place, journal: &Journal, last: Option<Found>) -> Result<Progress, ArchiveError> {
    let Some(found) = last else {
        return Ok(Progress {
            archived: journal.first - 1,
            prunable: journal.first,
            snapshot_due: false,
        });
    };
    match compared(journal, &found.segment).await {
        Err(error) if error.is_superseded() => {
            found.vouched(place)?;
            Err(error)
        }
        compared => compared,
    }
}

async fn compared(journal: &Journal, segment: &Segment) -> Result<Progress, ArchiveError> {
    let (first, archived) = (segment.first, segment.last());
    if archived > journal.last {
        return Err(ArchiveError::Behind {
            archived,
            local: journal.last,
        });
    }
    if journal.first > archived + 1 {
        let reason = format!(
            "it ends with event {archived}, and the journal of this machine begins with event {}: it was pruned while nothing was archived",
            journal.first
        );
        return Err(ArchiveError::Broken(reason));
    }
    let reader = Arc::clone(&journal.reader);
    let count = segment.events.len();
    let read = tokio::task::spawn_blocking(move || reader.read(first, count)).await;
    let read = read.map_err(|_| ArchiveError::Silent)??;
    let mut kept = segment
        .numbered()
        .filter(|(sequence, _)| *sequence >= journal.first);
    let differs = kept.find(|(sequence, bytes)| {
        let local = read.iter().find(|(local, _)| local == sequence);
        local.is_none_or(|(_, local)| local != bytes)
    });
    match differs {
        Some((sequence, _)) => Err(ArchiveError::Diverged { sequence }),
        None => Ok(Progress {
            archived,
            prunable: first,
            snapshot_due: false,
        }),
    }
}
