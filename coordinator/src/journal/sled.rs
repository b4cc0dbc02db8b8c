//! The journal's durable body: the only file that opens sled. sled's own `flush` does not reach the disk on Linux, so every batch is followed by
//! an `fdatasync` of its data file on a handle of our own; and because a damaged sled can open with its tail silently gone, HEAD and the chain of
//! records are checked against each other before a single event is believed.

use super::JournalError;
use super::chain::{Chain, ChainedBatch, Flaw};
use super::claim::Claim;
use super::head::{Head, HeadFile};
use super::log::{Batch, EventLog, EventReader, unframe};
use super::record::{FORMAT, PAYLOAD_BYTES_MAX, Record, RecordError, key};
use sled::{Db, IVec, Mode, Tree};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tidemill_protocol::digest::Digest;

/// How much sled may keep in memory by its own count; it takes several times as much.
const CACHE_BYTES: u64 = 4 * 1024 * 1024;
/// See [`PAYLOAD_BYTES_MAX`].
pub(super) const SEGMENT_BYTES: usize = 1024 * 1024;
/// How long an opening waits for sled to give back the lock of the opening before it, and how often it looks.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(2);
/// How long HEAD may lag on the disk behind the records.
const HEAD_SYNC_EVERY: Duration = Duration::from_secs(1);
/// How much room is written ahead of sled's end, so that most syncs need not change the file's length as well: a third less time a sync.
const RESERVE_BYTES: u64 = 256 * 1024;
/// Batches above this pay for their own length: with them it is the bytes that cost.
const RESERVE_BATCH_BYTES_MAX: usize = 16 * 1024;
/// Keys removed between two flushes while pruning.
const PRUNE_BATCH: usize = 1_000;

/// A torn tail that was cut when the journal was opened: a batch that was being written when the process or the machine stopped. Nobody was ever told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutTail {
    /// The last event that is kept.
    pub kept: u64,
    /// How many records were cut.
    pub records: usize,
    /// What was wrong with the first of them.
    pub reason: String,
}

/// The journal on disk.
#[derive(Debug)]
pub struct SledLog {
    database: Db,
    /// Our own handle on sled's data file.
    data: File,
    head: HeadFile,
    chain: Chain,
    durable: Arc<AtomicU64>,
    head_synced_at: Instant,
    /// Up to where sled's data file was filled ahead.
    reserved: u64,
    /// What is on the disk is not known: nothing more is written.
    poisoned: bool,
    claim: Claim,
}

impl SledLog {
    /// Opens the journal of a claimed folder, or makes a new one. Cuts a torn tail; refuses whatever else is not as HEAD and the chain say.
    pub fn open(claim: Claim) -> Result<(Self, Option<CutTail>), JournalError> {
        let dir = claim.dir().to_owned();
        let records = records_dir(&dir);
        let exists = data_path(&dir).exists();
        let head = HeadFile::open(&dir)?;
        if head.is_some() && !exists {
            return Err(JournalError::damaged(&dir, "its records are missing"));
        }
        let database = open_database(&dir)?;
        if !exists {
            sync_new_database(&records)?;
        }
        let data = OpenOptions::new()
            .read(true)
            .write(true)
            .open(data_path(&dir))
            .map_err(|e| JournalError::io("open", &data_path(&dir), e))?;
        let head = match head {
            Some(head) => head,
            None if database.is_empty() => HeadFile::create(&dir, Head::new())?,
            None => return Err(JournalError::damaged(&dir, "it has records but no HEAD")),
        };
        let walk = walk(&database, &dir, head.now(), &mut |_| ())?;
        let cut = walk.judge(&database, &dir, head.now())?;
        let mut log = Self {
            durable: Arc::new(AtomicU64::new(walk.chain.last())),
            chain: walk.chain,
            database,
            data,
            head,
            head_synced_at: Instant::now(),
            reserved: 0,
            poisoned: true,
            claim,
        };
        let doomed = [walk.pruned, walk.tail, walk.behind].concat();
        if !doomed.is_empty() {
            log.remove(&doomed)?;
        }
        log.head.advance(log.chain.last(), log.chain.hash())?;
        log.head.sync()?;
        log.poisoned = false;
        Ok((log, cut))
    }

    fn remove(&mut self, keys: &[IVec]) -> Result<(), JournalError> {
        for chunk in keys.chunks(PRUNE_BATCH) {
            for key in chunk {
                self.database
                    .remove(key)
                    .map_err(|source| database_error("remove records", source))?;
            }
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), JournalError> {
        self.database
            .flush()
            .map_err(|source| database_error("flush", source))?;
        self.data
            .sync_data()
            .map_err(|e| JournalError::io("sync", &data_path(self.claim.dir()), e))
    }

    /// Fills the rest of sled's last segment with zeros, a piece at a time, as sled itself does when it recovers one. Everything that sled has to
    /// write is written when this is called, and it writes nothing on its own between two batches.
    fn reserve(&mut self) -> Result<(), JournalError> {
        let failed = |e| JournalError::io("extend", &data_path(self.claim.dir()), e);
        let length = self.data.metadata().map_err(failed)?.len();
        if length <= self.reserved {
            return Ok(());
        }
        let segment_end = length.next_multiple_of(SEGMENT_BYTES as u64);
        let room = RESERVE_BYTES.min(segment_end - length);
        let zeros = vec![0; usize::try_from(room).expect("less than a segment")];
        self.data.write_all_at(&zeros, length).map_err(failed)?;
        self.reserved = length + room;
        self.data.sync_data().map_err(failed)
    }

    fn write(&mut self, batch: &Batch) -> Result<u64, JournalError> {
        let mut next = self.chain.clone();
        let first = next.last() + 1;
        let chunks: Vec<&[u8]> = batch.framed().chunks(PAYLOAD_BYTES_MAX).collect();
        let parts = u32::try_from(chunks.len()).expect("a batch is far smaller than 4 Gi parts");
        let mut writes = sled::Batch::default();
        let mut previous = next.hash();
        for (part, payload) in (0..parts).zip(chunks) {
            let record = Record {
                first,
                events: batch.len(),
                part,
                parts,
                previous,
                payload,
            };
            let bytes = record.to_bytes();
            previous = Digest::of(&bytes);
            if parts == 1 {
                self.database
                    .insert(record.key(), bytes)
                    .map_err(|source| database_error("insert a record", source))?;
            } else {
                writes.insert(&record.key(), bytes);
            }
        }
        if parts > 1 {
            self.database
                .apply_batch(writes)
                .map_err(|source| database_error("insert records", source))?;
        }
        self.flush()?;
        next.passed(batch.len(), previous);
        self.chain = next;
        let last = self.chain.last();
        self.head.advance(last, previous)?;
        if batch.framed().len() <= RESERVE_BATCH_BYTES_MAX {
            self.reserve()?;
        }
        if self.head_synced_at.elapsed() >= HEAD_SYNC_EVERY {
            self.settle()?;
        }
        Ok(last)
    }
}

impl EventLog for SledLog {
    fn append(&mut self, batch: &Batch) -> Result<u64, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        // A failed sync may have dropped what it could not write: a second try could succeed and lie.
        let last = self.write(batch).inspect_err(|_| self.poisoned = true)?;
        self.durable.store(last, Ordering::Release);
        Ok(last)
    }

    fn last(&self) -> u64 {
        self.chain.last()
    }

    fn first(&self) -> u64 {
        self.head.now().first
    }

    fn settle(&mut self) -> Result<(), JournalError> {
        self.head_synced_at = Instant::now();
        self.head.sync().inspect_err(|_| self.poisoned = true)
    }

    fn prune(&mut self, first: u64) -> Result<(), JournalError> {
        let Some(start) = batch_of(&self.database, first.min(self.last()))? else {
            return Ok(());
        };
        if start <= self.first() {
            return Ok(());
        }
        let value = self
            .database
            .get(key(start, 0))
            .map_err(|source| database_error("read a record", source))?
            .ok_or_else(|| JournalError::damaged(self.claim.dir(), format!("event {start} is missing")))?;
        let record = Record::from_bytes(&value)
            .map_err(|flaw| JournalError::damaged(self.claim.dir(), format!("event {start}: {flaw}")))?;
        // HEAD first: were the records removed first, a crash in between would look like damage.
        self.head.rebase(start, record.previous)?;
        let mut doomed = Vec::new();
        for name in self.database.range(..key(start, 0)).keys() {
            doomed.push(name.map_err(|source| database_error("read a key", source))?);
        }
        self.remove(&doomed)
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(SledReader {
            records: (*self.database).clone(),
            dir: self.claim.dir().to_owned(),
            durable: Arc::clone(&self.durable),
        })
    }
}

impl Drop for SledLog {
    fn drop(&mut self) {
        // sled syncs once more when it goes, and panics when the disk fails: a coordinator that ends for that reason would say that it has a bug. It is left
        // open then, and ends with the process.
        if self.poisoned || self.data.sync_all().is_err() {
            std::mem::forget(self.database.clone());
        }
    }
}

struct SledReader {
    records: Tree,
    dir: PathBuf,
    durable: Arc<AtomicU64>,
}

impl std::fmt::Debug for SledReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SledReader({})", self.dir.display())
    }
}

impl EventReader for SledReader {
    fn read(&self, from: u64, wanted: usize) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
        let last = self.durable.load(Ordering::Acquire);
        let mut events = Vec::new();
        if from > last {
            return Ok(events);
        }
        let start = batch_of(&self.records, from)?.unwrap_or(0);
        let mut framed = Vec::new();
        for item in self.records.range(key(start, 0)..) {
            let (_, value) = item.map_err(|source| database_error("read a record", source))?;
            let record = Record::from_bytes(&value)
                .map_err(|flaw| JournalError::damaged(&self.dir, format!("after event {from}: {flaw}")))?;
            if record.first > last {
                break;
            }
            framed.extend_from_slice(record.payload);
            if record.part + 1 < record.parts {
                continue;
            }
            let batch = unframe(&std::mem::take(&mut framed), record.events).ok_or_else(|| {
                JournalError::damaged(&self.dir, format!("the batch of event {}", record.first))
            })?;
            let numbered = (record.first..)
                .zip(batch)
                .filter(|(sequence, _)| *sequence >= from);
            events.extend(numbered);
            if events.len() >= wanted {
                break;
            }
        }
        Ok(events)
    }
}

/// Where sled keeps the records of the journal in `dir`.
pub(super) fn records_dir(dir: &Path) -> PathBuf {
    dir.join("records")
}

/// sled's data file.
pub(super) fn data_path(dir: &Path) -> PathBuf {
    records_dir(dir).join("db")
}

/// Opens sled with our settings. sled gives its lock back a moment after its last handle went; the claim keeps other processes out, so whoever
/// still holds the lock is an earlier opening by this process, and is waited for.
pub(super) fn open_database(dir: &Path) -> Result<Db, JournalError> {
    let began = Instant::now();
    loop {
        match settings(dir).open() {
            Err(sled::Error::Io(error)) if is_locked(&error) && began.elapsed() < LOCK_WAIT_MAX => {
                std::thread::park_timeout(LOCK_POLL);
            }
            opened => return opened.map_err(|source| database_error("open", source)),
        }
    }
}

fn settings(dir: &Path) -> sled::Config {
    sled::Config::new()
        .path(records_dir(dir))
        .mode(Mode::HighThroughput)
        .flush_every_ms(None)
        .cache_capacity(CACHE_BYTES)
        .segment_size(SEGMENT_BYTES)
}

/// sled wraps the system's word into an error of its own and keeps only the text.
fn is_locked(error: &std::io::Error) -> bool {
    error.to_string().starts_with("could not acquire lock")
}

/// The first event of the batch that holds event `sequence`, or of the first batch when it was pruned; none without records.
fn batch_of(records: &Tree, sequence: u64) -> Result<Option<u64>, JournalError> {
    let before = records.range(..=key(sequence, u32::MAX)).keys().next_back();
    let found = before.or_else(|| records.iter().keys().next()).transpose();
    let found = found.map_err(|source| database_error("read a key", source))?;
    Ok(found.and_then(|name| Some(u64::from_be_bytes(*name.first_chunk::<8>()?))))
}

fn database_error(action: &'static str, source: sled::Error) -> JournalError {
    JournalError::Database { action, source }
}

/// A new database's files and folders are made durable once; from then on only its data file changes in ways that matter.
fn sync_new_database(records: &Path) -> Result<(), JournalError> {
    let mut folders = vec![records.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| JournalError::io("read", &folder, e))?;
        for entry in entries {
            let path = entry.map_err(|e| JournalError::io("read", &folder, e))?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                super::snapshot::sync_path(&path)?;
            }
        }
        super::snapshot::sync_path(&folder)?;
    }
    super::snapshot::sync_path(records.parent().unwrap_or(records))
}

/// What a walk along the chain found.
pub(super) struct Walk {
    /// The chain as far as it holds.
    pub(super) chain: Chain,
    /// The first thing wrong, if any.
    pub(super) flaw: Option<Flaw>,
    /// Records before the first kept event: pruning was interrupted.
    pub(super) pruned: Vec<IVec>,
    /// Records of an incomplete last batch, the flawed one included.
    pub(super) tail: Vec<IVec>,
    /// Records behind the flawed one.
    pub(super) behind: Vec<IVec>,
    /// Records that hold.
    pub(super) records: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// Walks along the chain from HEAD's first event on and hands every whole batch to `visit`.
pub(super) fn walk(
    records: &Tree,
    dir: &Path,
    head: Head,
    visit: &mut dyn FnMut(ChainedBatch),
) -> Result<Walk, JournalError> {
    let mut walk = Walk {
        chain: Chain::starting_at(head.first, head.first_previous),
        flaw: None,
        pruned: Vec::new(),
        tail: Vec::new(),
        behind: Vec::new(),
        records: 0,
        bytes: 0,
    };
    let first_key = key(head.first, 0);
    for item in records {
        let (name, value) = item.map_err(|source| database_error("read a record", source))?;
        if name.as_ref() < first_key.as_slice() {
            walk.pruned.push(name);
            continue;
        }
        if walk.flaw.is_some() {
            walk.behind.push(name);
            continue;
        }
        walk.tail.push(name.clone());
        match walk.chain.accept(&name, &value) {
            Ok(done) => {
                walk.records += 1;
                walk.bytes += value.len() as u64;
                if let Some(batch) = done {
                    walk.tail.clear();
                    if walk.chain.last() == head.last && walk.chain.hash() != head.last_hash {
                        let reason = format!("event {} is not the one that HEAD names", head.last);
                        return Err(JournalError::damaged(dir, reason));
                    }
                    visit(batch);
                }
            }
            Err(flaw) => walk.flaw = Some(flaw),
        }
    }
    Ok(walk)
}

impl Walk {
    /// Decides between whole, torn after HEAD, and damaged.
    pub(super) fn judge(
        &self,
        records: &Tree,
        dir: &Path,
        head: Head,
    ) -> Result<Option<CutTail>, JournalError> {
        if let Some(Flaw::Record {
            source: RecordError::NewerFormat(found),
            ..
        }) = self.flaw
        {
            return Err(JournalError::NewerFormat {
                dir: dir.to_owned(),
                found,
                known: FORMAT,
            });
        }
        let flaw = self.flaw.as_ref().map(ToString::to_string);
        if self.chain.last() < head.last {
            let missing = format!("events {} to {} are missing", self.chain.last() + 1, head.last);
            let reason = flaw.map_or(missing.clone(), |flaw| format!("{flaw}; {missing}"));
            return Err(JournalError::damaged(dir, reason));
        }
        if self.tail.is_empty() {
            return Ok(None);
        }
        if self.behind.iter().any(|name| is_sound(records, name)) {
            let reason = format!("{}; sound records follow it", flaw.unwrap_or_default());
            return Err(JournalError::damaged(dir, reason));
        }
        Ok(Some(CutTail {
            kept: self.chain.last(),
            records: self.tail.len() + self.behind.len(),
            reason: flaw.unwrap_or_else(|| "the last part of its batch is missing".into()),
        }))
    }
}

fn is_sound(records: &Tree, name: &[u8]) -> bool {
    matches!(records.get(name), Ok(Some(value)) if Record::from_bytes(&value).is_ok())
}
