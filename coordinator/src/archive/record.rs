//! The bytes of a segment and of an archived snapshot: eight bytes that say what it is, the BLAKE3 of the rest, then MessagePack with named fields. Pure.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Timestamp;

/// The format that this version writes.
pub(super) const FORMAT: u32 = 1;
/// The hash before the very first segment.
pub(super) const GENESIS: Digest = Digest::from_bytes([0; 32]);

const SEGMENT: [u8; 8] = *b"TMSEGM1\0";
const SNAPSHOT: [u8; 8] = *b"TMSNAP2\0";
const HEADER_BYTES: usize = 40;

/// A sealed piece of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The format of this record.
    pub format: u32,
    /// Its slot, counted from 1.
    pub slot: u64,
    /// The epoch of the coordinator that sealed it.
    pub epoch: u64,
    /// Sequence number of its first event.
    pub first: u64,
    /// The hash of the segment in the slot before; zeros before the first.
    pub previous: Digest,
    /// When it was sealed.
    pub sealed_at: Timestamp,
    /// The events, as the journal has them. Never empty.
    pub events: Vec<ByteBuf>,
}

/// The engine's state after an event, with the place in the archive where reading goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ArchivedSnapshot {
    /// The format of this record.
    pub(super) format: u32,
    /// The last event that it covers.
    pub(super) sequence: u64,
    /// The slot of the first event after it.
    pub(super) slot: u64,
    /// The hash of the segment in the slot before that one.
    pub(super) previous: Digest,
    /// The state, as a local snapshot has it.
    pub(super) state: ByteBuf,
}

/// Bytes that are no sound record.
#[derive(Debug, thiserror::Error)]
pub enum RecordFlaw {
    /// They are of something else, or cut.
    #[error("it is too short or no such record")]
    Foreign,
    /// They were changed.
    #[error("its checksum does not fit")]
    Checksum,
    /// They are whole and cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[from] codec::DecodeError),
    /// A newer version wrote them.
    #[error("its format is {0}, which is newer than this version")]
    NewerFormat(u32),
    /// What they say cannot be.
    #[error("it contradicts itself")]
    Contradiction,
}

impl Segment {
    /// Sequence number of its last event.
    pub const fn last(&self) -> u64 {
        self.first.saturating_add(self.events.len() as u64) - 1
    }

    /// The bytes to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        seal(SEGMENT, self)
    }

    /// Reads stored bytes; every bit counts.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordFlaw> {
        let segment: Self = open(SEGMENT, bytes)?;
        if segment.format > FORMAT {
            return Err(RecordFlaw::NewerFormat(segment.format));
        }
        let fits = segment.first.checked_add(segment.events.len() as u64).is_some();
        if segment.first == 0 || segment.slot == 0 || segment.events.is_empty() || !fits {
            return Err(RecordFlaw::Contradiction);
        }
        Ok(segment)
    }

    /// Its events with their sequence numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(self.events.iter().map(|event| event.as_slice()))
    }
}

impl ArchivedSnapshot {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        seal(SNAPSHOT, self)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RecordFlaw> {
        let snapshot: Self = open(SNAPSHOT, bytes)?;
        if snapshot.format > FORMAT {
            return Err(RecordFlaw::NewerFormat(snapshot.format));
        }
        Ok(snapshot)
    }
}

fn seal<T: Serialize>(magic: [u8; 8], value: &T) -> Vec<u8> {
    let body = codec::encode(value);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&magic);
    bytes.extend_from_slice(Digest::of(&body).as_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn open<T: DeserializeOwned>(magic: [u8; 8], bytes: &[u8]) -> Result<T, RecordFlaw> {
    let (header, body) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(RecordFlaw::Foreign)?;
    if header[..8] != magic {
        return Err(RecordFlaw::Foreign);
    }
    if header[8..] != *Digest::of(body).as_bytes() {
        return Err(RecordFlaw::Checksum);
    }
    Ok(codec::decode(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        Segment {
            format: FORMAT,
            slot: 2,
            epoch: 3,
            first: 41,
            previous: Digest::of(b"before"),
            sealed_at: Timestamp(1_700_000_000_000),
            events: vec![ByteBuf::from(b"one"), ByteBuf::from(b"two")],
        }
    }

    fn snapshot() -> ArchivedSnapshot {
        ArchivedSnapshot {
            format: FORMAT,
            sequence: 40,
            slot: 2,
            previous: Digest::of(b"before"),
            state: ByteBuf::from(b"state"),
        }
    }

    #[test]
    fn released_bytes_are_read_for_ever() {
        let golden = include_bytes!("../../tests/golden/segment.bin");
        assert_eq!(Segment::from_bytes(golden).unwrap(), segment());
        let golden = include_bytes!("../../tests/golden/snapshot.bin");
        assert_eq!(ArchivedSnapshot::from_bytes(golden).unwrap(), snapshot());
    }

    #[test]
    fn a_record_survives_its_bytes_and_no_other() {
        assert_eq!(segment().last(), 42);
        let bytes = segment().to_bytes();
        assert_eq!(Segment::from_bytes(&bytes).unwrap(), segment());
        assert!(ArchivedSnapshot::from_bytes(&bytes).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(Segment::from_bytes(&bent).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Segment::from_bytes(&bytes[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_newer_or_impossible_record_is_refused() {
        let newer = Segment {
            format: FORMAT + 1,
            ..segment()
        };
        let refused = Segment::from_bytes(&newer.to_bytes());
        assert!(matches!(refused, Err(RecordFlaw::NewerFormat(2))), "{refused:?}");
        let empty = Segment {
            events: Vec::new(),
            ..segment()
        };
        let refused = Segment::from_bytes(&empty.to_bytes());
        assert!(matches!(refused, Err(RecordFlaw::Contradiction)), "{refused:?}");
        let beyond = Segment {
            first: u64::MAX,
            ..segment()
        };
        let refused = Segment::from_bytes(&beyond.to_bytes());
        assert!(matches!(refused, Err(RecordFlaw::Contradiction)), "{refused:?}");
    }
}
