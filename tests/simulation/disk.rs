//! The coordinator's disk: the journal as encoded records with a durable mark, and perhaps a snapshot. A death keeps what was made durable and any part of
//! the rest.

use testkit::Random;
use tidemill_engine::{Effect, Engine, Event};
use tidemill_protocol::codec;

/// The journal and the snapshot.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    records: Vec<Vec<u8>>,
    durable: usize,
    snapshot: Option<(usize, Vec<u8>)>,
}

impl Disk {
    pub(crate) fn append(&mut self, event: &Event) {
        self.records.push(codec::encode(event));
    }

    /// Makes everything durable; answers with what was not before.
    pub(crate) fn flush(&mut self) -> Vec<Event> {
        let fresh = self
            .records
            .get(self.durable..)
            .unwrap_or_default()
            .iter()
            .map(|record| decode(record));
        let fresh = fresh.collect();
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

    pub(crate) fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// The state from the whole journal.
    pub(crate) fn replay(&self) -> Engine {
        advance(Engine::new(), &self.records)
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

fn advance(mut engine: Engine, records: &[Vec<u8>]) -> Engine {
    let mut effects: Vec<Effect> = Vec::new();
    for record in records {
        engine.apply(&decode(record), &mut effects);
        effects.clear();
    }
    engine
}

fn decode(record: &[u8]) -> Event {
    codec::decode(record).expect("a record can be read back")
}
