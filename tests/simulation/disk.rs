//! The coordinator's disk: the journal as encoded records with a durable mark, and perhaps a snapshot. A death keeps what was made durable and any part of
//! the rest. It may be full, and its next sync may fail.

use testkit::Random;
use tidemill_engine::{Effect, Engine, Event};
use tidemill_protocol::codec;

/// The journal and the snapshot.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    records: Vec<Vec<u8>>,
    durable: usize,
    snapshot: Option<(usize, Vec<u8>)>,
    /// Until then nothing more can be written.
    pub(crate) full_until: u64,
    /// Until then there is no room for new runs.
    pub(crate) short_until: u64,
    pub(crate) next_sync_fails: bool,
}

/// Why a batch is not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiskError {
    Full,
    SyncFailed,
}

/// How a journal stands to its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It holds all that the archive holds.
    Fits,
    /// It told another story, and was replaced.
    Replaced,
}

impl Disk {
    pub(crate) fn append(&mut self, event: &Event) {
        self.records.push(codec::encode(event));
    }

    /// Makes everything durable; answers with what was not before.
    pub(crate) fn flush(&mut self, now: u64) -> Result<Vec<Event>, DiskError> {
        if self.records.len() > self.durable {
            if now < self.full_until {
                return Err(DiskError::Full);
            }
            if std::mem::take(&mut self.next_sync_fails) {
                return Err(DiskError::SyncFailed);
            }
        }
        Ok(self.settle())
    }

    /// Whatever is on it counts as durable: a death is over, and it is read again.
    pub(crate) fn settle(&mut self) -> Vec<Event> {
        let fresh = self.records.get(self.durable..).unwrap_or_default();
        let fresh = fresh.iter().map(|record| decode(record)).collect();
        self.durable = self.records.len();
        fresh
    }

    pub(crate) fn write_snapshot(&mut self, engine: &Engine) {
        assert_eq!(self.durable, self.records.len(), "a snapshot is of durable state");
        self.snapshot = Some((self.durable, codec::encode(engine)));
    }

    /// Forgets the tail from any place after the durable mark on. Answers with how many records were lost and how many of the tail were kept.
    pub(crate) fn lose_tail(&mut self, random: &mut Random) -> (usize, usize) {
        let tail = self.records.len() - self.durable;
        let kept = random.place(tail + 1);
        self.records.truncate(self.durable + kept);
        (tail - kept, kept)
    }

    /// The durable records.
    pub(crate) fn durable(&self) -> &[Vec<u8>] {
        self.records.get(..self.durable).unwrap_or_default()
    }

    /// Brings the journal up to its archive.
    pub(crate) fn follow(&mut self, archive: &[Vec<u8>]) -> Followed {
        let common = self.records.len().min(archive.len());
        if self.records.get(..common) != archive.get(..common) {
            *self = Self {
                records: archive.to_vec(),
                durable: archive.len(),
                ..Self::default()
            };
            return Followed::Replaced;
        }
        self.records.extend(archive.iter().skip(common).cloned());
        self.durable = self.records.len();
        Followed::Fits
    }

    pub(crate) fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// The state from the whole journal.
    pub(crate) fn replay(&self) -> Engine {
        replay(&self.records)
    }

    /// The state from the snapshot, if there is one, and the journal after it.
    pub(crate) fn restore(&self) -> Engine {
        match &self.snapshot {
            None => self.replay(),
            Some((at, bytes)) => {
                let engine = codec::decode(bytes).expect("a snapshot can be read back");
                advance(engine, self.records.get(*at..).unwrap_or_default())
            }
        }
    }
}

/// The state that these records tell.
pub(crate) fn replay(records: &[Vec<u8>]) -> Engine {
    advance(Engine::new(), records)
}

fn advance(mut engine: Engine, records: &[Vec<u8>]) -> Engine {
    let mut effects: Vec<Effect> = Vec::new();
    for record in records {
        engine.apply(&decode(record), &mut effects);
        effects.clear();
    }
    engine
}

pub(crate) fn decode(record: &[u8]) -> Event {
    codec::decode(record).expect("a record can be read back")
}
