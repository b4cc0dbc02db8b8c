//! Epochs in the store: each start of a coordinator claims the next one by creating its record, which only one can do. The larger epoch wins. A record that the coordinator's
//! key has not signed claims nothing: it is looked past, and said.

use super::flaw::RecordFlaw;
use super::place::{Kind, Place, soon};
use super::trust::{self, Voucher};
use super::{ArchiveError, STRANGE_MAX};
use crate::config::ArchiveMode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidemill_artifacts::StoreError;
use tidemill_protocol::codec;
use tidemill_protocol::time::Timestamp;
use uuid::Uuid;

/// Records of epochs that are kept, for people to look at.
const EPOCHS_KEPT: usize = 32;
/// How many times a rival may be quicker before we give up.
const CLAIMS_MAX: u32 = 8;

/// What the bytes of a record begin with. Earlier versions wrote MessagePack and nothing else.
const RECORD: trust::Kind = trust::Kind {
    signed: *b"TMEPOC1\0",
    unsigned: None,
};

/// Who claimed an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EpochRecord {
    /// The epoch.
    pub(super) epoch: u64,
    /// Distinguishes this start from every other.
    pub(super) incarnation: Uuid,
    /// Where its API is.
    pub(super) address: String,
    /// When it claimed, by its wall clock; for people.
    pub(super) started_at: Timestamp,
    /// Whether it waits for the archive before it answers.
    pub(super) mode: ArchiveMode,
}

/// What a look at the epochs found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The newest that the coordinator's key has claimed.
    pub(super) newest: Option<EpochRecord>,
    /// Larger ones that somebody else wrote there.
    pub(super) strange: Vec<u64>,
}

/// Records of strangers that were told of already: each is told once as long as it lies there.
#[derive(Debug, Default)]
pub(super) struct Strangers(BTreeSet<u64>);

impl Strangers {
    /// Tells those that are new. Answers how many they are.
    pub(super) fn tell(&mut self, strange: &[u64]) -> u64 {
        let mut fresh = 0;
        self.0.retain(|epoch| strange.contains(epoch));
        for epoch in strange {
            if self.0.insert(*epoch) {
                fresh += 1;
                tracing::error!(
                    epoch,
                    "the archive holds a claim of this epoch that the key of this coordinator has not signed; it is ignored. Somebody else writes to `journal/` in the store: take that right away, then delete the object in `epochs/`"
                );
            }
        }
        fresh
    }
}

/// The newest epoch that was claimed; none when nobody ever did.
pub(super) async fn newest(place: &Place) -> Result<Option<EpochRecord>, ArchiveError> {
    Ok(look(place, 0).await?.newest)
}

/// Looks for the newest epoch larger than `above`.
///
/// # Errors
/// [`ArchiveError::Strange`] when too many others lie there to say which it is.
pub(super) async fn look(place: &Place, above: u64) -> Result<Looked, ArchiveError> {
    let numbers = soon(place.numbers(Kind::Epochs)).await?;
    look_at(place, &numbers, above).await
}

async fn look_at(place: &Place, numbers: &[u64], above: u64) -> Result<Looked, ArchiveError> {
    let mut looked = Looked::default();
    for epoch in numbers.iter().rev().copied().take_while(|epoch| *epoch > above) {
        match read(place, epoch).await? {
            Ok(record) => {
                looked.newest = Some(record);
                break;
            }
            Err(flaw) => {
                tracing::debug!(epoch, %flaw, "a record of an epoch is looked past");
                looked.strange.push(epoch);
            }
        }
        if looked.strange.len() > STRANGE_MAX {
            return Err(ArchiveError::Strange {
                objects: "epochs",
                max: STRANGE_MAX,
            });
        }
    }
    Ok(looked)
}

/// Reads a record, or why it claims nothing.
async fn read(place: &Place, epoch: u64) -> Result<Result<EpochRecord, RecordFlaw>, ArchiveError> {
    let missing = || ArchiveError::Broken(format!("the record of epoch {epoch} is gone"));
    let bytes = match place.read_small(Kind::Epochs, epoch).await {
        // Nobody writes such a large one but a stranger.
        Err(ArchiveError::Store(StoreError::TooLarge { .. })) => return Ok(Err(RecordFlaw::Foreign)),
        read => read?.ok_or_else(missing)?,
    };
    let opened = match trust::open(RECORD, &bytes, place.trust()) {
        Err(RecordFlaw::Foreign) => codec::decode(&bytes)
            .map(|record| (record, Voucher::Nobody))
            .map_err(RecordFlaw::from),
        opened => opened,
    };
    Ok(opened.and_then(|(record, voucher): (EpochRecord, _)| {
        if !place.trust().accepts(voucher) {
            Err(RecordFlaw::Unsigned)
        } else if record.epoch == epoch {
            Ok(record)
        } else {
            Err(RecordFlaw::Contradiction)
        }
    }))
}

/// Claims an epoch larger than every other that was claimed and than `known`, the one of the local journal.
pub(super) async fn claim(
    place: &Place,
    known: u64,
    (address, mode): (&str, ArchiveMode),
    now: Timestamp,
) -> Result<u64, ArchiveError> {
    let secret = place.secret()?;
    let mut record = EpochRecord {
        epoch: 0,
        incarnation: Uuid::now_v7(),
        address: address.to_owned(),
        started_at: now,
        mode,
    };
    for _ in 0..CLAIMS_MAX {
        let mut epochs = soon(place.numbers(Kind::Epochs)).await?;
        let looked = look_at(place, &epochs, 0).await?;
        let claimed = looked.newest.map_or(0, |newest| newest.epoch);
        record.epoch = free_above(claimed.max(known), &epochs);
        let bytes = trust::seal(RECORD, &record, secret);
        match soon(place.create(Kind::Epochs, record.epoch, bytes.into())).await {
            Ok(()) => {
                epochs.retain(|epoch| *epoch < record.epoch);
                epochs.truncate((epochs.len() + 1).saturating_sub(EPOCHS_KEPT));
                for old in epochs {
                    soon(place.delete(Kind::Epochs, old)).await?;
                }
                return Ok(record.epoch);
            }
            // Somebody else was quicker: the larger epoch wins, so try for the next one.
            Err(ArchiveError::Store(StoreError::Conflict { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Err(superseded(place, record.epoch.saturating_sub(1)).await)
}

/// The first epoch above `claimed` whose record no stranger has put there.
fn free_above(claimed: u64, epochs: &[u64]) -> u64 {
    let taken = epochs.iter().filter(|epoch| **epoch > claimed);
    taken.fold(claimed.saturating_add(1), |free, taken| {
        if *taken == free {
            free.saturating_add(1)
        } else {
            free
        }
    })
}

/// Says who superseded us; of one whose record cannot be read, only that it did.
pub(super) async fn superseded(place: &Place, epoch: u64) -> ArchiveError {
    let record = look(place, epoch).await.ok().and_then(|looked| looked.newest);
    ArchiveError::Superseded {
        epoch: record.as_ref().map_or(epoch + 1, |record| record.epoch),
        address: record.map_or_else(|| "another process".to_owned(), |record| record.address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_claimed_above_all_that_were_claimed_and_beside_those_of_strangers() {
        assert_eq!(free_above(0, &[]), 1);
        assert_eq!(free_above(3, &[1, 2, 3]), 4);
        assert_eq!(free_above(3, &[1, 3, 4, 5, u64::MAX]), 6);
        assert_eq!(free_above(7, &[1, 3]), 8);
    }
}
