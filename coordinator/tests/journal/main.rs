//! The journal on disk: what was durable comes back, and damage is never silent. Damage can make sled panic or hang while it opens, so
//! every damaged journal is opened by a child process, which is this test binary itself.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod child;
mod damage;
mod durability;

use std::path::Path;
use tidemill_coordinator::journal::{Batch, Claim, EventLog, JournalError, SledLog};

/// The bytes of event `number`: recognisable, and of varying length.
fn event(number: u64) -> Vec<u8> {
    let length = 40 + usize::try_from(number * 37 % 400).unwrap();
    number
        .to_le_bytes()
        .iter()
        .copied()
        .cycle()
        .take(length)
        .collect()
}

fn batch(numbers: std::ops::RangeInclusive<u64>) -> Batch {
    let mut batch = Batch::default();
    numbers.for_each(|number| batch.push(&event(number)));
    batch
}

fn open(dir: &Path) -> SledLog {
    SledLog::open(claim(dir)).unwrap().0
}

/// Claims a journal that was just let go. A child that another test starts at this very moment holds every lock of this process until it has
/// become another program.
fn claim(dir: &Path) -> Claim {
    loop {
        match Claim::take(dir) {
            Err(JournalError::InUse(_)) => std::thread::yield_now(),
            claim => return claim.unwrap(),
        }
    }
}

/// Appends batches of 1 to 7 events until `last`.
fn fill(log: &mut SledLog, last: u64) {
    while log.last() < last {
        let first = log.last() + 1;
        let end = (first + first % 7).min(last);
        assert_eq!(log.append(&batch(first..=end)).unwrap(), end);
    }
}

fn assert_whole(log: &SledLog, last: u64) {
    assert_eq!(log.last(), last);
    let events = log.reader().read(log.first(), usize::MAX).unwrap();
    assert_eq!(events.len() as u64, last + 1 - log.first());
    assert!(events.iter().all(|(sequence, bytes)| *bytes == event(*sequence)));
}

/// Opens the records as only the journal itself should, to tamper with them. The segment size is part of sled's format.
fn tamper(dir: &Path, change: impl FnOnce(&sled::Db)) {
    let config = sled::Config::new()
        .path(dir.join("records"))
        .segment_size(SEGMENT_BYTES);
    let records = loop {
        match config.open() {
            // sled lets its lock go a moment after whoever held it.
            Err(error) if error.to_string().starts_with("could not acquire lock") => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    change(&records);
    records.flush().unwrap();
}

const SEGMENT_BYTES: usize = 1024 * 1024;
