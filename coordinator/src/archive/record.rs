//! The bytes of a segment and of an archived snapshot: eight bytes that say what it is, the BLAKE3 of the content, the coordinator's signature, then the content as
//! MessagePack with named fields. Earlier versions wrote no signature. Pure.

use super::flaw::RecordFlaw;
use super::trust::{self, Kind, Trust, Voucher};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::SignerKey;

/// The format that this version writes.
pub(super) const FORMAT: u32 = 1;
/// The hash before the very first segment.
pub(super) const GENESIS: Digest = Digest::from_bytes([0; 32]);

const SEGMENT: Kind = Kind {
    signed: *b"TMSEGM2\0",
    unsigned: Some(*b"TMSEGM1\0"),
};
const SNAPSHOT: Kind = Kind {
    signed: *b"TMSNAP3\0",
    unsigned: Some(*b"TMSNAP2\0"),
};

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

impl Segment {
    /// Sequence number of its last event.
    pub const fn last(&self) -> u64 {
        self.first.saturating_add(self.events.len() as u64) - 1
    }

    /// The bytes to be stored.
    pub fn to_bytes(&self, key: &SignerKey) -> Vec<u8> {
        trust::seal(SEGMENT, self, key)
    }

    /// Reads stored bytes, of which every bit counts, and says who vouches for them.
    ///
    /// # Errors
    /// [`RecordFlaw::Forged`] when somebody else than the coordinator signed it, others when it is not sound.
    pub fn from_bytes(bytes: &[u8], trust: &Trust) -> Result<(Self, Voucher), RecordFlaw> {
        let (segment, voucher): (Self, _) = trust::open(SEGMENT, bytes, trust)?;
        if segment.format > FORMAT {
            return Err(RecordFlaw::NewerFormat(segment.format));
        }
        let fits = segment.first.checked_add(segment.events.len() as u64).is_some();
        if segment.first == 0 || segment.slot == 0 || segment.events.is_empty() || !fits {
            return Err(RecordFlaw::Contradiction);
        }
        Ok((segment, voucher))
    }

    /// Its events with their sequence numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(self.events.iter().map(|event| event.as_slice()))
    }
}

impl ArchivedSnapshot {
    pub(super) fn to_bytes(&self, key: &SignerKey) -> Vec<u8> {
        trust::seal(SNAPSHOT, self, key)
    }

    /// Reads stored bytes for which the coordinator vouches.
    pub(super) fn from_bytes(bytes: &[u8], trust: &Trust) -> Result<Self, RecordFlaw> {
        let (snapshot, voucher): (Self, _) = trust::open(SNAPSHOT, bytes, trust)?;
        if !trust.accepts(voucher) {
            return Err(RecordFlaw::Unsigned);
        }
        if snapshot.format > FORMAT {
            return Err(RecordFlaw::NewerFormat(snapshot.format));
        }
        Ok(snapshot)
    }
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

    fn key() -> SignerKey {
        SignerKey::from_seed(&[3; 32])
    }

    fn read(bytes: &[u8]) -> Result<Segment, RecordFlaw> {
        Segment::from_bytes(bytes, &Trust::of(&key())).map(|(segment, _)| segment)
    }

    #[test]
    fn released_bytes_are_read_for_ever() {
        let trust = Trust::of(&key());
        let golden = include_bytes!("../../tests/golden/segment-signed.bin");
        let found = Segment::from_bytes(golden, &trust).unwrap();
        assert_eq!(found, (segment(), Voucher::Coordinator));
        let golden = include_bytes!("../../tests/golden/snapshot-signed.bin");
        assert_eq!(ArchivedSnapshot::from_bytes(golden, &trust).unwrap(), snapshot());
    }

    #[test]
    fn bytes_from_before_there_were_signatures_are_read_by_whoever_takes_unsigned_ones() {
        let trust = Trust::of(&key());
        let golden = include_bytes!("../../tests/golden/segment.bin");
        let found = Segment::from_bytes(golden, &trust).unwrap();
        assert_eq!(found, (segment(), Voucher::Nobody));
        let golden = include_bytes!("../../tests/golden/snapshot.bin");
        let refused = ArchivedSnapshot::from_bytes(golden, &trust);
        assert!(matches!(refused, Err(RecordFlaw::Unsigned)), "{refused:?}");
        let trust = trust.accepting_unsigned(true);
        assert_eq!(ArchivedSnapshot::from_bytes(golden, &trust).unwrap(), snapshot());
    }

    #[test]
    fn what_another_key_signed_is_nobodys_even_where_unsigned_ones_are_taken() {
        let others = segment().to_bytes(&SignerKey::from_seed(&[4; 32]));
        let trust = Trust::of(&key()).accepting_unsigned(true);
        let refused = Segment::from_bytes(&others, &trust);
        assert!(matches!(refused, Err(RecordFlaw::Forged)), "{refused:?}");
    }

    #[test]
    fn a_record_survives_its_bytes_and_no_other() {
        assert_eq!(segment().last(), 42);
        let bytes = segment().to_bytes(&key());
        assert_eq!(read(&bytes).unwrap(), segment());
        assert!(ArchivedSnapshot::from_bytes(&bytes, &Trust::of(&key())).is_err());
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bent).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_newer_or_impossible_record_is_refused() {
        let newer = Segment {
            format: FORMAT + 1,
            ..segment()
        };
        let refused = read(&newer.to_bytes(&key()));
        assert!(matches!(refused, Err(RecordFlaw::NewerFormat(2))), "{refused:?}");
        let empty = Segment {
            events: Vec::new(),
            ..segment()
        };
        let refused = read(&empty.to_bytes(&key()));
        assert!(matches!(refused, Err(RecordFlaw::Contradiction)), "{refused:?}");
        let beyond = Segment {
            first: u64::MAX,
            ..segment()
        };
        let refused = read(&beyond.to_bytes(&key()));
        assert!(matches!(refused, Err(RecordFlaw::Contradiction)), "{refused:?}");
    }
}
