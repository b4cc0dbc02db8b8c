//! Looking at a journal without a coordinator: `verify` and `export` (whose lines `export.rs` describes). Nothing here changes a byte of the records.

use super::claim::Claim;
use super::export::{End, Seal};
use super::head::HeadFile;
use super::log::unframe;
use super::sled::{CutTail, data_path, open_database, walk};
use super::{JournalError, Snapshots};
use crate::entry::{Entry, Spelled};
use std::io::Write;
use std::path::Path;

/// A journal that was found whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The first event that is kept; 1 unless older ones were pruned.
    pub first: u64,
    /// The last event; one less than `first` when there is none.
    pub last: u64,
    /// Records of the database.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The tail that the next start would cut.
    pub torn: Option<CutTail>,
    /// The snapshots, oldest first.
    pub snapshots: Vec<SnapshotFinding>,
}

/// One snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotFinding {
    /// The last event that it covers.
    pub sequence: u64,
    /// Whether its checksum fits.
    pub whole: bool,
}

/// Checks every record, the chain, HEAD and the snapshots of the journal in `dir`. Probe it in a child process first.
pub fn verify(dir: &Path) -> Result<Verification, JournalError> {
    let mut unreadable = None;
    let (first, walk, torn) = look(dir, &mut |sequence, bytes| {
        if unreadable.is_none()
            && let Err(source) = Entry::decode(&bytes)
        {
            unreadable = Some(JournalError::Unreadable { sequence, source });
        }
        Ok(())
    })?;
    if let Some(error) = unreadable {
        return Err(error);
    }
    let snapshots = Snapshots::of(dir);
    let mut findings = Vec::new();
    for sequence in snapshots.list()? {
        let whole = snapshots.read(sequence)?.is_some();
        findings.push(SnapshotFinding { sequence, whole });
    }
    Ok(Verification {
        first,
        last: walk.chain.last(),
        records: walk.records,
        bytes: walk.bytes,
        torn,
        snapshots: findings,
    })
}

/// Writes every event of the journal in `dir` as one line of JSON with its sequence number, and a last line that says how many there were and seals
/// them. Probe it in a child process first. Answers how many.
pub fn export(dir: &Path, out: &mut dyn Write) -> Result<u64, JournalError> {
    let mut seal = Seal::default();
    let mut write = |line: &[u8]| {
        let written = out.write_all(line).and_then(|()| out.write_all(b"\n"));
        written.map_err(|e| JournalError::io("export", dir, e))
    };
    look(dir, &mut |sequence, bytes| {
        let entry = Entry::decode(&bytes).map_err(|source| JournalError::Unreadable { sequence, source })?;
        let line = serde_json::to_vec(&Spelled::numbered(sequence, entry))
            .map_err(|e| JournalError::io("export", dir, e.into()))?;
        seal.add(&line);
        write(&line)
    })?;
    let end = serde_json::to_vec(&End { end: seal.clone() });
    write(&end.map_err(|e| JournalError::io("export", dir, e.into()))?)?;
    Ok(seal.events)
}

type Visit<'a> = &'a mut dyn FnMut(u64, Vec<u8>) -> Result<(), JournalError>;

fn look(dir: &Path, visit: Visit<'_>) -> Result<(u64, super::sled::Walk, Option<CutTail>), JournalError> {
    let _claim = Claim::take(dir)?;
    let head = HeadFile::open(dir)?.ok_or_else(|| JournalError::damaged(dir, "it has no HEAD"))?;
    if !data_path(dir).exists() {
        return Err(JournalError::damaged(dir, "its records are missing"));
    }
    let database = open_database(dir)?;
    let mut failed = None;
    let walk = walk(&database, dir, head.now(), &mut |batch| {
        let Some(events) = unframe(&batch.framed, batch.events) else {
            let reason = format!("the batch of event {} cannot be taken apart", batch.first);
            failed.get_or_insert(JournalError::damaged(dir, reason));
            return;
        };
        for (sequence, bytes) in (batch.first..).zip(events) {
            if failed.is_none() {
                failed = visit(sequence, bytes).err();
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let torn = walk.judge(&database, dir, head.now())?;
    Ok((head.now().first, walk, torn))
}
