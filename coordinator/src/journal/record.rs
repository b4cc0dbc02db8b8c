//! The bytes of one record: a batch of events, or a part of one that is too long for a single value of the database.
//!
//! Layout, fixed, little-endian: magic `TJ` (2), format (2), crc32 of all that follows (4), sequence number of the batch's first event (8),
//! events in the batch (4), this part (4), parts (4), BLAKE3 of the record before (32), payload.

use tidemill_protocol::digest::Digest;

/// The format that this version writes. A number never goes back.
pub(super) const FORMAT: u16 = 1;

/// Longest payload of one record. sled keeps up to 17 values in a leaf and moves a leaf to a file of its own, which it never syncs, once it is longer
/// than a quarter of a segment; with segments of 1 MiB this length stays well below.
pub(super) const PAYLOAD_BYTES_MAX: usize = 12 * 1024;

const MAGIC: [u8; 2] = *b"TJ";
const HEADER_BYTES: usize = 60;
const COVERED_FROM: usize = 8;

/// The hash before the very first record.
pub(super) const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Sequence number of the batch's first event.
    pub(super) first: u64,
    /// Events in the whole batch.
    pub(super) events: u32,
    /// Which part of the batch this is, counted from 0.
    pub(super) part: u32,
    /// How many parts the batch has.
    pub(super) parts: u32,
    /// Hash of the record before.
    pub(super) previous: Digest,
    /// A piece of the batch's framed events.
    pub(super) payload: &'a [u8],
}

/// Bytes that are no sound record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum RecordError {
    #[error("it is too short or no record")]
    Malformed,
    #[error("its checksum does not fit")]
    Checksum,
    #[error("its format is {0}, which is newer than this version")]
    NewerFormat(u16),
}

impl<'a> Record<'a> {
    /// The bytes to be stored.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.events.to_le_bytes());
        bytes.extend_from_slice(&self.part.to_le_bytes());
        bytes.extend_from_slice(&self.parts.to_le_bytes());
        bytes.extend_from_slice(self.previous.as_bytes());
        bytes.extend_from_slice(self.payload);
        let checksum = crc32fast::hash(&bytes[COVERED_FROM..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads stored bytes; every bit counts.
    pub(super) fn from_bytes(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (header, payload) = bytes
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(RecordError::Malformed)?;
        if header[..2] != MAGIC {
            return Err(RecordError::Malformed);
        }
        // The number first: a newer format may check itself otherwise, and what looks torn to us must not be cut.
        let format = u16::from_le_bytes(field(header, 2));
        if format > FORMAT {
            return Err(RecordError::NewerFormat(format));
        }
        let checksum = u32::from_le_bytes(field(header, 4));
        if checksum != crc32fast::hash(&bytes[COVERED_FROM..]) {
            return Err(RecordError::Checksum);
        }
        if format == 0 {
            return Err(RecordError::Malformed);
        }
        Ok(Self {
            first: u64::from_le_bytes(field(header, 8)),
            events: u32::from_le_bytes(field(header, 16)),
            part: u32::from_le_bytes(field(header, 20)),
            parts: u32::from_le_bytes(field(header, 24)),
            previous: Digest::from_bytes(field(header, 28)),
            payload,
        })
    }

    /// The key under which it is stored: keys sort in the order of the records.
    pub(super) fn key(&self) -> [u8; 12] {
        key(self.first, self.part)
    }
}

/// The key of a part of the batch that starts with event `first`.
pub(super) fn key(first: u64, part: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&first.to_be_bytes());
    key[8..].copy_from_slice(&part.to_be_bytes());
    key
}

/// A fixed number of header bytes from `at` on.
pub(super) fn field<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: &[u8]) -> Record<'_> {
        Record {
            first: 7,
            events: 2,
            part: 0,
            parts: 1,
            previous: Digest::of(b"before"),
            payload,
        }
    }

    #[test]
    fn a_record_survives_its_bytes() {
        let bytes = record(b"payload").to_bytes();
        assert_eq!(Record::from_bytes(&bytes).unwrap(), record(b"payload"));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_passes_unseen() {
        let bytes = record(b"payload").to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let read = Record::from_bytes(&bent);
            // The format number stands before the covered bytes, so that a newer layout may check itself otherwise.
            assert!(read.is_err() || (16..32).contains(&bit), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Record::from_bytes(&bytes[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn keys_sort_as_records_follow() {
        assert!(key(1, 9) < key(2, 0));
        assert!(key(255, 0) < key(256, 0));
    }
}
