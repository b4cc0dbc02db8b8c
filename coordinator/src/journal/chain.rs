//! The chain of records: whether each follows from the one before. Used alike when opening, verifying and repairing, so these cannot disagree.

use super::record::{Record, RecordError};
use tidemill_protocol::digest::Digest;

/// A place in the chain.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    /// The sequence number that the next batch must start with.
    next: u64,
    /// The hash that the next record must name.
    previous: Digest,
    /// The hash of the last record of the last complete batch.
    complete: Digest,
    /// Parts of a batch that is not complete yet.
    open: Option<OpenBatch>,
}

#[derive(Debug, Clone)]
struct OpenBatch {
    events: u32,
    parts: u32,
    taken: u32,
    framed: Vec<u8>,
}

/// A batch with its events still framed.
#[derive(Debug)]
pub(super) struct ChainedBatch {
    /// Sequence number of its first event.
    pub(super) first: u64,
    /// How many events it has.
    pub(super) events: u32,
    /// The framed events.
    pub(super) framed: Vec<u8>,
}

/// Where and how the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("the record of event {expected} cannot be read: {source}")]
    Record { expected: u64, source: RecordError },
    #[error("after event {} comes a record of event {found}, part {part}", .expected.saturating_sub(1))]
    OutOfPlace { expected: u64, found: u64, part: u32 },
    #[error("the record of event {expected} does not follow from the one before it")]
    Unchained { expected: u64 },
}

impl Chain {
    /// The chain before its first kept record.
    pub(super) fn starting_at(first: u64, previous: Digest) -> Self {
        Self {
            next: first,
            previous,
            complete: previous,
            open: None,
        }
    }

    /// Takes the next record; answers a batch when it is the last part of one.
    pub(super) fn accept(&mut self, key: &[u8], value: &[u8]) -> Result<Option<ChainedBatch>, Flaw> {
        let expected = self.next;
        let record = Record::from_bytes(value).map_err(|source| Flaw::Record { expected, source })?;
        let continues = match &self.open {
            None => record.part == 0,
            Some(open) => (open.events, open.parts, open.taken) == (record.events, record.parts, record.part),
        };
        let sound = record.part < record.parts && record.events > 0 && record.key() == key;
        let after = expected.checked_add(u64::from(record.events));
        let (true, true, true, Some(after)) = (record.first == expected, continues, sound, after) else {
            return Err(Flaw::OutOfPlace {
                expected,
                found: record.first,
                part: record.part,
            });
        };
        if record.previous != self.previous {
            return Err(Flaw::Unchained { expected });
        }
        self.previous = Digest::of(value);
        let open = self.open.get_or_insert_with(|| OpenBatch {
            events: record.events,
            parts: record.parts,
            taken: 0,
            framed: Vec::new(),
        });
        open.framed.extend_from_slice(record.payload);
        open.taken += 1;
        if record.part + 1 < record.parts {
            return Ok(None);
        }
        let framed = self.open.take().map(|open| open.framed).unwrap_or_default();
        self.next = after;
        self.complete = self.previous;
        Ok(Some(ChainedBatch {
            first: expected,
            events: record.events,
            framed,
        }))
    }

    /// Moves on over a batch of our own making whose last record has this hash.
    pub(super) fn passed(&mut self, events: u32, hash: Digest) {
        self.next += u64::from(events);
        self.previous = hash;
        self.complete = hash;
    }

    /// The last event of the last complete batch.
    pub(super) fn last(&self) -> u64 {
        self.next - 1
    }

    /// The hash of the last record of that batch.
    pub(super) fn hash(&self) -> Digest {
        self.complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_are_out_of_place() {
        let record = Record {
            first: u64::MAX,
            events: 2,
            part: 0,
            parts: 1,
            previous: Digest::of(b"before"),
            payload: b"",
        };
        let mut chain = Chain::starting_at(record.first, record.previous);
        let refused = chain.accept(&record.key(), &record.to_bytes());
        assert!(matches!(refused, Err(Flaw::OutOfPlace { .. })), "{refused:?}");
    }
}
