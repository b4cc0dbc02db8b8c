//! Snapshots in the archive: from the local ones, each put beside the segments once they reach it; the oldest are deleted, and the segments that only
//! they needed.

use super::flaw::RecordFlaw;
use super::place::{Kind, Place};
use super::record::{ArchivedSnapshot, FORMAT};
use super::{ARCHIVED_SNAPSHOTS_KEPT, ArchiveError, STRANGE_MAX};
use crate::journal::Snapshots;
use serde_bytes::ByteBuf;
use tidemill_artifacts::StoreError;
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
    let reading = tokio::task::spawn_blocking(move || match local.list() {
        Ok(list) if list.contains(&at.sequence) => local.read(at.sequence),
        Ok(_) => Ok(None),
        Err(error) => Err(error),
    });
    let Ok(found) = reading.await else {
        return Ok(false);
    };
    let Some(state) = found? else { return Ok(false) };
    let record = ArchivedSnapshot {
        format: FORMAT,
        sequence: at.sequence,
        slot: at.slot,
        previous: at.previous,
        state: ByteBuf::from(state),
    };
    let bytes = record.to_bytes(place.secret()?).into();
    match place.create(Kind::Snapshots, at.sequence, bytes).await {
        Ok(()) => Ok(true),
        // An earlier incarnation put one there: one state of one journal is as good as another. Nobody else's is.
        Err(StoreError::Conflict { .. }) => match read(place, at.sequence).await? {
            Ok(_) => Ok(true),
            Err(source) => Err(ArchiveError::Damaged {
                object: format!("the snapshot {}", at.sequence),
                source,
            }),
        },
        Err(error) => Err(error.into()),
    }
}

/// Deletes all but the newest few snapshots, and the segments before the oldest that stays. Those that are not sound, or not the coordinator's, cover nothing: they are
/// neither counted nor deleted.
pub(super) async fn prune(place: &Place) -> Result<(), ArchiveError> {
    let mut numbers = place.numbers(Kind::Snapshots).await?;
    let (mut kept, mut passed_over) = (Vec::new(), 0);
    while kept.len() < ARCHIVED_SNAPSHOTS_KEPT {
        let Some(number) = numbers.pop() else {
            return Ok(());
        };
        match read(place, number).await? {
            Ok(snapshot) => kept.push(snapshot.slot),
            Err(why) => {
                warn_of(number, &why);
                passed_over += 1;
            }
        }
        if passed_over > STRANGE_MAX {
            return Ok(());
        }
    }
    for old in numbers {
        place.delete(Kind::Snapshots, old).await?;
    }
    let oldest = kept.last().copied().unwrap_or(0);
    // Oldest first, so that whatever interrupts this leaves no gap.
    for slot in place.numbers(Kind::Segments).await? {
        if slot < oldest {
            place.delete(Kind::Segments, slot).await?;
        }
    }
    Ok(())
}

/// The newest sound snapshot of an archive that covers no event after `last`; one that is damaged or not the coordinator's is passed over and said.
pub(super) async fn newest(place: &Place, last: u64) -> Result<Option<ArchivedSnapshot>, ArchiveError> {
    let numbers = place.numbers(Kind::Snapshots).await?;
    for number in numbers.into_iter().rev().filter(|number| *number <= last) {
        match read(place, number).await? {
            Ok(snapshot) => return Ok(Some(snapshot)),
            Err(why) => warn_of(number, &why),
        }
    }
    Ok(None)
}

fn warn_of(number: u64, why: &RecordFlaw) {
    tracing::warn!(
        number,
        %why,
        "a snapshot in the archive is no use; an older one is taken"
    );
}

/// Reads a snapshot, or why it is no use.
async fn read(place: &Place, number: u64) -> Result<Result<ArchivedSnapshot, RecordFlaw>, ArchiveError> {
    let Some(bytes) = place.read(Kind::Snapshots, number, SNAPSHOT_BYTES_MAX).await? else {
        return Ok(Err(RecordFlaw::Foreign));
    };
    let read = ArchivedSnapshot::from_bytes(&bytes, place.trust());
    Ok(read.and_then(|snapshot| {
        if snapshot.sequence == number {
            Ok(snapshot)
        } else {
            Err(RecordFlaw::Contradiction)
        }
    }))
}
