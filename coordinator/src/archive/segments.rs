//! Reading segments: the slots that there are, and each segment only together with who vouches for it and the proof that it follows from the one before.

use super::ArchiveError;
use super::flaw::RecordFlaw;
use super::place::{Kind, Place};
use super::record::Segment;
use super::trust::Voucher;
use tidemill_protocol::digest::Digest;

/// Longest segment that is read. A segment holds one batch of the journal at least, and a batch may hold plans of 100,000 steps.
const SEGMENT_BYTES_MAX: usize = 1 << 30;

/// The slots of an archive: from the oldest that is kept to the newest, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slots {
    /// The oldest; one more than `last` when there is none.
    pub(super) first: u64,
    /// The newest; 0 when there is none.
    pub(super) last: u64,
}

impl Slots {
    /// Whether there is none.
    pub(super) const fn is_empty(self) -> bool {
        self.last < self.first
    }
}

/// A segment as it was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) segment: Segment,
    /// The hash of its bytes.
    pub(super) hash: Digest,
    /// Who vouches for it. Nobody's may show that what is known already was archived, and tells nothing new.
    pub(super) voucher: Voucher,
}

impl Found {
    /// Refuses what the coordinator has not signed, for whoever would believe it.
    pub(super) fn vouched(self, place: &Place) -> Result<Self, ArchiveError> {
        if place.trust().accepts(self.voucher) {
            Ok(self)
        } else {
            Err(ArchiveError::Damaged {
                object: format!("the segment in slot {}", self.segment.slot),
                source: RecordFlaw::Unsigned,
            })
        }
    }
}

/// Lists the slots.
///
/// # Errors
/// [`ArchiveError::Broken`] when one is missing between others.
pub(super) async fn slots(place: &Place) -> Result<Slots, ArchiveError> {
    let numbers = place.numbers(Kind::Segments).await?;
    let (Some(&first), Some(&last)) = (numbers.first(), numbers.last()) else {
        return Ok(Slots { first: 1, last: 0 });
    };
    let missing = (first..=last)
        .zip(&numbers)
        .find(|(expected, found)| expected != *found);
    match missing {
        Some((slot, next)) => Err(ArchiveError::Broken(format!(
            "the segment in slot {slot} is missing, and there is one in slot {next}"
        ))),
        None => Ok(Slots { first, last }),
    }
}

/// Reads the segment in a slot; none when the slot is free.
pub(super) async fn read(place: &Place, slot: u64) -> Result<Option<Found>, ArchiveError> {
    let Some(bytes) = place.read(Kind::Segments, slot, SEGMENT_BYTES_MAX).await? else {
        return Ok(None);
    };
    let object = || format!("the segment in slot {slot}");
    let read = Segment::from_bytes(&bytes, place.trust());
    let (segment, voucher) = read.map_err(|source| ArchiveError::Damaged {
        object: object(),
        source,
    })?;
    if segment.slot != slot {
        return Err(ArchiveError::Broken(format!(
            "{} is that of slot {}",
            object(),
            segment.slot
        )));
    }
    Ok(Some(Found {
        segment,
        hash: Digest::of(&bytes),
        voucher,
    }))
}

/// Reads the segment in a slot that is known to be filled.
pub(super) async fn expect(place: &Place, slot: u64) -> Result<Found, ArchiveError> {
    let found = read(place, slot).await?;
    found.ok_or_else(|| ArchiveError::Broken(format!("the segment in slot {slot} vanished")))
}

/// The slot of the last segment that begins at or before event `sequence`; none when all begin after it.
pub(super) async fn slot_of(place: &Place, slots: Slots, sequence: u64) -> Result<Option<u64>, ArchiveError> {
    if slots.is_empty() || expect(place, slots.first).await?.segment.first > sequence {
        return Ok(None);
    }
    // Invariant: the segment at `low` begins at or before it, the one at `high` after it.
    let (mut low, mut high) = (slots.first, slots.last + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if expect(place, middle).await?.segment.first <= sequence {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Some(low))
}
