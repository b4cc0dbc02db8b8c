//! The supervisor's memory: an append-only file of what was started, what ended, and what may be forgotten. Each record carries its length and a checksum;
//! reading stops at the first that does not fit. Written before anybody is told, synced in groups soon after: losing the tail takes a power cut, which ends
//! the steps as well and costs a new attempt, never a wrong result.

use super::message::ExitRecord;
use super::procfs::Identity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tidemill_protocol::codec;
use tidemill_protocol::time::Timestamp;

/// The file may grow to this size before it is emptied at the next moment at which nothing in it is needed.
const COMPACT_BYTES: u64 = 256 * 1024;
/// Longest record that is read.
const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A process of an attempt was started.
    Started {
        /// The attempt.
        key: String,
        /// The process.
        process: Identity,
        /// When, by wall time.
        at: Timestamp,
    },
    /// An attempt ended.
    Ended(ExitRecord),
    /// Its record is not needed any more.
    Forgotten {
        /// The attempt.
        key: String,
    },
}

/// What an earlier supervisor left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Attempts without an exit record: when each started and its processes.
    pub unfinished: BTreeMap<String, (Timestamp, Vec<Identity>)>,
    /// Attempts that ended and were not forgotten.
    pub ended: BTreeMap<String, ExitRecord>,
}

/// The file.
#[derive(Debug)]
pub(super) struct Records {
    file: File,
    pending: Vec<u8>,
    length: u64,
    unsynced: bool,
}

impl Records {
    /// Opens the file and says what it holds.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Left)> {
        let mut bytes = Vec::new();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(path)?;
        file.read_to_end(&mut bytes)?;
        let (records, sound) = parse(&bytes);
        // A torn tail would hide every record that is appended after it.
        file.set_len(sound as u64)?;
        let records_file = Self {
            file,
            pending: Vec::new(),
            length: sound as u64,
            unsynced: false,
        };
        Ok((records_file, replay(records)))
    }

    /// Adds a record to those that the next [`Self::write`] writes.
    pub(super) fn add(&mut self, record: &Record) {
        let body = codec::encode(record);
        let length = u32::try_from(body.len()).expect("a record is far smaller than 4 GiB");
        self.pending.extend_from_slice(&length.to_le_bytes());
        self.pending.extend_from_slice(&checksum(&body));
        self.pending.extend_from_slice(&body);
    }

    /// Writes what was added: it now survives the end of this process, though not yet of the machine.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.pending)?;
        self.length += self.pending.len() as u64;
        self.pending.clear();
        self.unsynced = true;
        Ok(())
    }

    /// Whether there is something for [`Self::sync`] to do.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Makes what was written survive the end of the machine.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.unsynced = false;
        self.file.sync_data()
    }

    /// Empties the file if it has grown; only to be called when nothing runs and nothing is unforgotten.
    pub(super) fn compact(&mut self) -> io::Result<()> {
        if self.length > COMPACT_BYTES {
            self.file.set_len(0)?;
            self.length = 0;
        }
        Ok(())
    }
}

fn checksum(body: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(body).as_bytes()[..8]);
    sum
}

fn parse(bytes: &[u8]) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((record, after)) = next(rest) {
        records.push(record);
        rest = after;
    }
    (records, bytes.len() - rest.len())
}

fn next(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    if length > RECORD_BYTES_MAX {
        return None;
    }
    let (body, rest) = rest.split_at_checked(length)?;
    if *sum != checksum(body) {
        return None;
    }
    Some((codec::decode(body).ok()?, rest))
}

fn replay(records: Vec<Record>) -> Left {
    let mut left = Left::default();
    for record in records {
        match record {
            Record::Started { key, process, at } => {
                let entry = left.unfinished.entry(key).or_insert_with(|| (at, Vec::new()));
                entry.1.push(process);
            }
            Record::Ended(exit) => {
                left.unfinished.remove(&exit.key);
                left.ended.insert(exit.key.clone(), exit);
            }
            Record::Forgotten { key } => {
                left.ended.remove(&key);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::super::message::End;
    use super::*;

    fn exit(key: &str) -> ExitRecord {
        ExitRecord {
            key: key.into(),
            end: End::Exited(0),
            started_at: Timestamp(1),
            process_ms: 2,
            memory_peak_bytes: None,
            notes: vec![],
        }
    }

    fn started(key: &str) -> Record {
        Record::Started {
            key: key.into(),
            process: Identity {
                pid: 1,
                start_time: 2,
                boot_id: "b".into(),
            },
            at: Timestamp(1),
        }
    }

    #[test]
    fn what_was_written_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records");
        let (mut records, left) = Records::open(&path).unwrap();
        assert_eq!(left, Left::default());
        for record in [
            started("a"),
            started("b"),
            started("c"),
            Record::Ended(exit("a")),
            Record::Ended(exit("b")),
            Record::Forgotten { key: "a".into() },
        ] {
            records.add(&record);
        }
        records.write().unwrap();
        let (_, left) = Records::open(&path).unwrap();
        assert_eq!(left.ended.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(left.unfinished.keys().collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn a_torn_tail_is_cut_and_hides_nothing_that_follows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records");
        let (mut records, _) = Records::open(&path).unwrap();
        records.add(&Record::Ended(exit("a")));
        records.write().unwrap();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(&[9, 0, 0, 0, 1, 2])
            .unwrap();
        let (mut records, left) = Records::open(&path).unwrap();
        assert_eq!(left.ended.len(), 1);
        records.add(&Record::Ended(exit("b")));
        records.write().unwrap();
        let (_, left) = Records::open(&path).unwrap();
        assert_eq!(left.ended.len(), 2);
    }
}
