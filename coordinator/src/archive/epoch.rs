//! Epochs in the store: each start of a coordinator claims the next one by creating its record, which only one can do. The larger epoch wins.

use super::ArchiveError;
use super::place::{Kind, Place, soon};
use crate::config::ArchiveMode;
use serde::{Deserialize, Serialize};
use tidemill_artifacts::StoreError;
use tidemill_protocol::codec;
use tidemill_protocol::time::Timestamp;
use uuid::Uuid;

/// Records of epochs that are kept, for people to look at.
const EPOCHS_KEPT: usize = 32;
/// How many times a rival may be quicker before we give up.
const CLAIMS_MAX: u32 = 8;

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

/// The newest epoch that was claimed; none when nobody ever did.
pub(super) async fn newest(place: &Place) -> Result<Option<EpochRecord>, ArchiveError> {
    let Some(epoch) = soon(place.numbers(Kind::Epochs)).await?.pop() else {
        return Ok(None);
    };
    read(place, epoch).await.map(Some)
}

async fn read(place: &Place, epoch: u64) -> Result<EpochRecord, ArchiveError> {
    let missing = || ArchiveError::Broken(format!("the record of epoch {epoch} is gone"));
    let bytes = place.read_small(Kind::Epochs, epoch).await?.ok_or_else(missing)?;
    codec::decode(&bytes).map_err(|source| ArchiveError::Damaged {
        object: format!("the record of epoch {epoch}"),
        source: source.into(),
    })
}

/// Claims an epoch larger than every other in the store and than `known`, the one of the local journal.
pub(super) async fn claim(
    place: &Place,
    known: u64,
    (address, mode): (&str, ArchiveMode),
    now: Timestamp,
) -> Result<u64, ArchiveError> {
    let mut record = EpochRecord {
        epoch: 0,
        incarnation: Uuid::now_v7(),
        address: address.to_owned(),
        started_at: now,
        mode,
    };
    for _ in 0..CLAIMS_MAX {
        let mut epochs = soon(place.numbers(Kind::Epochs)).await?;
        record.epoch = epochs.last().copied().unwrap_or(0).max(known) + 1;
        let bytes = codec::encode(&record);
        match soon(place.create(Kind::Epochs, record.epoch, bytes.into())).await {
            Ok(()) => {
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
    let rival = read(place, record.epoch).await?;
    Err(ArchiveError::Superseded {
        epoch: rival.epoch,
        address: rival.address,
    })
}

/// Says who superseded us; of one whose record cannot be read, only that it did.
pub(super) async fn superseded(place: &Place, epoch: u64) -> ArchiveError {
    let record = newest(place).await.ok().flatten();
    let record = record.filter(|record| record.epoch > epoch);
    ArchiveError::Superseded {
        epoch: record.as_ref().map_or(epoch + 1, |record| record.epoch),
        address: record.map_or_else(|| "another process".to_owned(), |record| record.address),
    }
}
