//! Snapshots in the archive: from the local ones, each put beside the segments once they reach it; the oldest are deleted, and the segments that only
//! they needed.

use super::place::{Kind, Place};
use super::record::{ArchivedSnapshot, FORMAT};
use super::{ARCHIVED_SNAPSHOTS_KEPT, ArchiveError};
use crate::journal::Snapshots;
use serde_bytes::ByteBuf;
use tidemill_protocol::digest::Digest;

/// Largest snapshot that is read.
const SNAPSHOT_BYTES_MAX: usize = 4 << 30;

/// Where in the archive a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last event that it covers.
    pub(super) sequence: u64,
    /// The slot of the next event.
    pub(super) slot: u64,
    /// The hash of the segment before that slot.
    pub(super) previous: Digest,
}

/// Puts the local snapshot into the archive. Answers whether that was possible: it may still be being written, or be forgotten already.
pub(super) async fn put(place: &Place, local: &Snapshots, at: Standing) -> Result<bool, ArchiveError> {
    let local = local.clone();
    let read = tokio::task::spawn_blocking(move || match local.list() {
        Ok(list) if list.contains(&at.sequence) => local.read(at.sequence),
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    });
    let Ok(read) = read.await else { return Ok(false) };
    let Some(state) = read? else { return Ok(false) };
    let record = ArchivedSnapshot {
        format: FORMAT,
        sequence: at.sequence,
        slot: at.slot,
        previous: at.previous,
        state: ByteBuf::from(state),
    };
    let bytes = record.to_bytes().into();
    match place.create(Kind::Snapshots, at.sequence, bytes).await {
        // An earlier incarnation put one there: one state of one journal is as good as another.
        Ok(()) | Err(tidemill_artifacts::StoreError::Conflict { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Deletes all but the newest few snapshots, and the segments before the oldest that stays.
pub(super) async fn prune(place: &Place) -> Result<(), ArchiveError> {
    let mut numbers = place.numbers(Kind::Snapshots).await?;
    if numbers.len() < ARCHIVED_SNAPSHOTS_KEPT {
        return Ok(());
    }
    let kept = numbers.split_off(numbers.len() - ARCHIVED_SNAPSHOTS_KEPT);
    for old in numbers {
        place.delete(Kind::Snapshots, old).await?;
    }
    // A snapshot that cannot be read covers nothing.
    let Some(oldest) = read(place, kept[0]).await? else {
        return Ok(());
    };
    // Oldest first, so that whatever interrupts this leaves no gap.
    for slot in place.numbers(Kind::Segments).await? {
        if slot < oldest.slot {
            place.delete(Kind::Segments, slot).await?;
        }
    }
    Ok(())
}

/// The newest sound snapshot of an archive that covers no event after `last`; one that is damaged is passed over and said.
pub(super) async fn newest(place: &Place, last: u64) -> Result<Option<ArchivedSnapshot>, ArchiveError> {
    let numbers = place.numbers(Kind::Snapshots).await?;
    for number in numbers.into_iter().rev().filter(|number| *number <= last) {
        if let Some(snapshot) = read(place, number).await? {
            return Ok(Some(snapshot));
        }
        tracing::warn!(
            number,
            "a snapshot in the archive is damaged; an older one is taken"
        );
    }
    Ok(None)
}

/// Reads a snapshot; none when it is not sound.
async fn read(place: &Place, number: u64) -> Result<Option<ArchivedSnapshot>, ArchiveError> {
    let bytes = place.read(Kind::Snapshots, number, SNAPSHOT_BYTES_MAX).await?;
    let snapshot = bytes.and_then(|bytes| ArchivedSnapshot::from_bytes(&bytes).ok());
    Ok(snapshot.filter(|snapshot| snapshot.sequence == number))
}
