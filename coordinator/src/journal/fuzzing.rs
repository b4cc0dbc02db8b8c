//! What the fuzz target `record` checks; only with the feature `fuzzing`. Here, because the bytes of the journal are private.

use super::chain::Chain;
use super::head::slot_survives;
use super::log::{Batch, unframe};
use super::record::{Record, field};
use crate::archive::{Segment, Trust, Voucher};
use crate::entry::Entry;
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::wire::SignerKey;

/// Bytes of the fields that a sealed record takes from the fuzzer.
const FIELDS_BYTES: usize = 28;

/// Reads bytes as everything that the journal and its archive keep, and seals records of them.
///
/// # Panics
/// When what was read is not written as it was, or when a bent record is taken for a sound one.
pub fn record(data: &[u8]) {
    if let Ok(record) = Record::from_bytes(data) {
        assert_eq!(record.to_bytes(), data, "a record is not written as it was read");
    }
    slot_survives(data);
    let key = SignerKey::from_seed(&[1; 32]);
    let trust = Trust::of(&key);
    if let Ok((segment, _)) = Segment::from_bytes(data, &trust) {
        assert_eq!(
            Segment::from_bytes(&segment.to_bytes(&key), &trust).ok(),
            Some((segment.clone(), Voucher::Coordinator)),
            "a segment is not read as it was written"
        );
        let last = segment.numbered().last().map(|(sequence, _)| sequence);
        assert_eq!(last, Some(segment.last()), "a segment is numbered in two ways");
    }
    if let Ok(entry) = Entry::decode(data) {
        let written = codec::encode(&entry);
        assert_eq!(
            Entry::decode(&written).ok(),
            Some(entry),
            "an entry is not read as it was written"
        );
    }
    sealed(data);
    framed(data);
}

/// A record with any fields, and the same with one bit bent.
fn sealed(data: &[u8]) {
    let Some((fields, payload)) = data.split_first_chunk::<FIELDS_BYTES>() else {
        return;
    };
    let record = Record {
        first: u64::from_le_bytes(field(fields, 0)),
        events: u32::from_le_bytes(field(fields, 8)),
        part: u32::from_le_bytes(field(fields, 12)),
        parts: u32::from_le_bytes(field(fields, 16)),
        previous: Digest::of(&fields[20..24]),
        payload,
    };
    let bytes = record.to_bytes();
    assert_eq!(
        Record::from_bytes(&bytes).ok(),
        Some(record),
        "a record is lost in its bytes"
    );
    let bit = u32::from_le_bytes(field(fields, 24)) as usize % (bytes.len() * 8);
    let mut bent = bytes.clone();
    bent[bit / 8] ^= 1 << (bit % 8);
    assert!(Record::from_bytes(&bent).is_err(), "bit {bit} does not count");
    if record.first == 0 {
        return;
    }
    // As the first of a chain, where HEAD says so: it may hold or not, and nothing else may happen.
    let mut chain = Chain::starting_at(record.first, record.previous);
    if let Ok(Some(batch)) = chain.accept(&record.key(), &bytes) {
        drop(unframe(&batch.framed, batch.events));
        assert_eq!(chain.last(), batch.first - 1 + u64::from(batch.events));
    }
}

/// The frames of a batch, read from any bytes.
fn framed(data: &[u8]) {
    let Some((count, framed)) = data.split_first() else {
        return;
    };
    if let Some(events) = unframe(framed, u32::from(*count)) {
        let mut batch = Batch::default();
        for event in &events {
            batch.push(event);
        }
        assert_eq!(batch.framed(), framed, "a batch is not framed as it was read");
    }
}
