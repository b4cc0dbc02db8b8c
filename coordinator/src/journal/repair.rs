//! Repair: keeps what is whole of a damaged journal and sets the rest aside. Only ever done because a person asked for it.

use super::chain::Chain;
use super::claim::Claim;
use super::head::{Head, HeadFile};
use super::log::{Batch, EventLog, unframe};
use super::sled::{SledLog, data_path, open_database, records_dir};
use super::{JournalError, Snapshots};
use std::path::{Path, PathBuf};
use tidemill_protocol::digest::Digest;

/// What a repair kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The last event that is in the journal now.
    pub last: u64,
    /// The last event that HEAD named, where HEAD could be read: what lies between is lost.
    pub expected: Option<u64>,
    /// Where the damaged journal was put.
    pub set_aside: PathBuf,
}

/// Builds the journal in `dir` anew from its longest sound beginning, or from its newest whole snapshot where that reaches further (give `readable: false`
/// when the probe failed, so that the database is not touched), and puts the damaged one beside it.
pub fn repair(dir: &Path, readable: bool) -> Result<Repaired, JournalError> {
    let claim = Claim::take(dir)?;
    let head = HeadFile::open(dir).ok().flatten().map(|head| head.now());
    let (first, previous) = head.map_or((1, super::record::GENESIS), |head| {
        (head.first, head.first_previous)
    });
    let mut batches = Vec::new();
    let mut last = first - 1;
    if readable && data_path(dir).exists() {
        let mut chain = Chain::starting_at(first, previous);
        let database = open_database(dir)?;
        let from = super::record::key(first, 0);
        for item in database.range(from..) {
            let Ok((name, value)) = item else { break };
            let Ok(done) = chain.accept(&name, &value) else {
                break;
            };
            batches.extend(done);
        }
        last = chain.last();
    }
    let covered = newest_whole_snapshot(dir)?;
    let mut start = Head::starting_at(first, previous);
    if covered > last || (first > 1 && covered + 1 < first) {
        // The events end before the snapshot, or nothing covers what was pruned: only the snapshot can be built upon.
        batches.clear();
        start = Head::starting_at(covered + 1, Digest::of(b"repaired"));
    }
    let set_aside = set_aside(dir)?;
    drop(HeadFile::create(dir, start)?);
    std::fs::create_dir_all(records_dir(dir)).map_err(|e| JournalError::io("create", dir, e))?;
    drop(open_database(dir)?);
    let (mut log, _) = SledLog::open(claim)?;
    for batch in batches {
        let events = unframe(&batch.framed, batch.events).unwrap_or_default();
        let mut copy = Batch::default();
        for event in &events {
            copy.push(event);
        }
        log.append(&copy)?;
    }
    log.settle()?;
    Ok(Repaired {
        last: log.last(),
        expected: head.map(|head| head.last),
        set_aside,
    })
}

fn newest_whole_snapshot(dir: &Path) -> Result<u64, JournalError> {
    let snapshots = Snapshots::of(dir);
    for sequence in snapshots.list()?.into_iter().rev() {
        if snapshots.read(sequence)?.is_some() {
            return Ok(sequence);
        }
    }
    Ok(0)
}

/// Moves records and HEAD into a folder of their own; snapshots and the lock stay.
fn set_aside(dir: &Path) -> Result<PathBuf, JournalError> {
    let place = (1..=u32::MAX)
        .map(|number| dir.join(format!("damaged-{number}")))
        .find(|place| !place.exists())
        .expect("nobody repairs a journal four billion times");
    std::fs::create_dir(&place).map_err(|e| JournalError::io("create", &place, e))?;
    for path in [records_dir(dir), HeadFile::path(dir)] {
        if let Some(name) = path.file_name().filter(|_| path.exists()) {
            std::fs::rename(&path, place.join(name)).map_err(|e| JournalError::io("set aside", &path, e))?;
        }
    }
    super::snapshot::sync_path(dir)?;
    Ok(place)
}
