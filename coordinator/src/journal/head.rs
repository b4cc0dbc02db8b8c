//! HEAD: how far the journal must reach. Two slots, written in turn, each after its batch is durable, so HEAD never runs ahead of the records; a slot
//! that was torn while it was written leaves the other one, which is one batch older.
//!
//! A slot, little-endian: magic (8), generation (8), last event (8), hash of the last record (32), first kept event (8), hash before the first kept
//! record (32), crc32 of all that (4). The slots stand 4 KiB apart, so that no single sector holds both.

use super::JournalError;
use super::record::{GENESIS, field};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tidemill_protocol::digest::Digest;

const MAGIC: [u8; 8] = *b"TMHEAD1\0";
const SLOT_BYTES: usize = 100;
const SLOT_STRIDE: u64 = 4096;

/// What HEAD says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Counts the writes; its parity chooses the slot.
    generation: u64,
    /// The last event that was durable.
    pub(super) last: u64,
    /// The hash of the record that holds it.
    pub(super) last_hash: Digest,
    /// The first event that is kept.
    pub(super) first: u64,
    /// The hash of the record before it.
    pub(super) first_previous: Digest,
}

impl Head {
    /// HEAD of a new journal.
    pub(super) const fn new() -> Self {
        Self::starting_at(1, GENESIS)
    }

    /// HEAD of a journal without records whose next event is `first`.
    pub(super) const fn starting_at(first: u64, previous: Digest) -> Self {
        Self {
            generation: 0,
            last: first - 1,
            last_hash: previous,
            first,
            first_previous: previous,
        }
    }

    fn to_slot(self) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        slot[..8].copy_from_slice(&MAGIC);
        slot[8..16].copy_from_slice(&self.generation.to_le_bytes());
        slot[16..24].copy_from_slice(&self.last.to_le_bytes());
        slot[24..56].copy_from_slice(self.last_hash.as_bytes());
        slot[56..64].copy_from_slice(&self.first.to_le_bytes());
        slot[64..96].copy_from_slice(self.first_previous.as_bytes());
        let checksum = crc32fast::hash(&slot[..96]);
        slot[96..].copy_from_slice(&checksum.to_le_bytes());
        slot
    }

    fn from_slot(slot: &[u8]) -> Option<Self> {
        let whole = slot.len() == SLOT_BYTES
            && slot[..8] == MAGIC
            && u32::from_le_bytes(field(slot, 96)) == crc32fast::hash(&slot[..96]);
        let head = whole.then(|| Self {
            generation: u64::from_le_bytes(field(slot, 8)),
            last: u64::from_le_bytes(field(slot, 16)),
            last_hash: Digest::from_bytes(field(slot, 24)),
            first: u64::from_le_bytes(field(slot, 56)),
            first_previous: Digest::from_bytes(field(slot, 64)),
        });
        // Events are numbered from 1.
        head.filter(|head| head.first > 0)
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct HeadFile {
    file: File,
    path: PathBuf,
    now: Head,
    synced: bool,
}

impl HeadFile {
    /// Where HEAD of the journal in `dir` stands.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("HEAD")
    }

    /// Creates HEAD, durably.
    pub(super) fn create(dir: &Path, head: Head) -> Result<Self, JournalError> {
        let path = Self::path(dir);
        let draft = dir.join("HEAD.new");
        let mut bytes = vec![0; usize::try_from(SLOT_STRIDE).expect("a small number") + SLOT_BYTES];
        bytes[..SLOT_BYTES].copy_from_slice(&head.to_slot());
        super::snapshot::replace_file(&draft, &path, &[&bytes])?;
        Self::open(dir)?.ok_or_else(|| JournalError::damaged(dir, "HEAD vanished while it was created"))
    }

    /// Opens HEAD; none when there is no such file. Refuses when neither slot is whole.
    pub(super) fn open(dir: &Path) -> Result<Option<Self>, JournalError> {
        let path = Self::path(dir);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(JournalError::io("open", &path, error)),
        };
        let newest = (0..2)
            .filter_map(|slot| {
                let mut bytes = [0; SLOT_BYTES];
                file.read_exact_at(&mut bytes, slot * SLOT_STRIDE).ok()?;
                Head::from_slot(&bytes)
            })
            .max_by_key(|head| head.generation)
            .ok_or_else(|| JournalError::damaged(dir, "neither slot of HEAD is whole"))?;
        Ok(Some(Self {
            file,
            path,
            now: newest,
            synced: true,
        }))
    }

    /// What it says.
    pub(super) fn now(&self) -> Head {
        self.now
    }

    /// Notes that the records are durable up to here. The slot itself reaches the disk with the next [`Self::sync`] or when the system
    /// pleases: until then a power cut makes HEAD say less than it could, never more.
    pub(super) fn advance(&mut self, last: u64, last_hash: Digest) -> Result<(), JournalError> {
        self.write(Head {
            last,
            last_hash,
            ..self.now
        })
    }

    /// Notes that events before `first` are gone, durably.
    pub(super) fn rebase(&mut self, first: u64, first_previous: Digest) -> Result<(), JournalError> {
        self.write(Head {
            first,
            first_previous,
            ..self.now
        })?;
        self.sync()
    }

    fn write(&mut self, mut head: Head) -> Result<(), JournalError> {
        head.generation = self.now.generation + 1;
        self.file
            .write_all_at(&head.to_slot(), (head.generation % 2) * SLOT_STRIDE)
            .map_err(|error| JournalError::io("write", &self.path, error))?;
        self.now = head;
        self.synced = false;
        Ok(())
    }

    /// Brings what was written to the disk.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        if !self.synced {
            self.file
                .sync_data()
                .map_err(|error| JournalError::io("sync", &self.path, error))?;
            self.synced = true;
        }
        Ok(())
    }
}

/// What the fuzz target `record` asks of a slot of any bytes: one that is taken is written as it was.
#[cfg(feature = "fuzzing")]
pub(super) fn slot_survives(bytes: &[u8]) {
    if let Some(head) = Head::from_slot(bytes) {
        assert_eq!(
            head.to_slot().as_slice(),
            bytes,
            "a slot is not written as it was read"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advanced(dir: &Path) -> Head {
        let mut head = HeadFile::create(dir, Head::new()).unwrap();
        head.advance(3, Digest::of(b"3")).unwrap();
        head.advance(5, Digest::of(b"5")).unwrap();
        head.sync().unwrap();
        head.now()
    }

    #[test]
    fn head_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let head = advanced(dir.path());
        assert_eq!(head.last, 5);
        assert_eq!(HeadFile::open(dir.path()).unwrap().unwrap().now(), head);
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before_and_never_more() {
        let dir = tempfile::tempdir().unwrap();
        advanced(dir.path());
        let whole = std::fs::read(HeadFile::path(dir.path())).unwrap();
        let slots = (0..SLOT_BYTES).chain(4096..4096 + SLOT_BYTES);
        for bit in slots.flat_map(|byte| byte * 8..byte * 8 + 8) {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(HeadFile::path(dir.path()), bent).unwrap();
            let head = HeadFile::open(dir.path()).unwrap().unwrap().now();
            assert!(head.last == 5 || head.last == 3, "bit {bit}: {head:?}");
        }
    }

    #[test]
    fn a_slot_that_begins_before_the_first_event_is_not_whole() {
        let head = Head {
            first: 0,
            ..Head::new()
        };
        assert_eq!(Head::from_slot(&head.to_slot()), None);
        assert_eq!(Head::from_slot(&Head::new().to_slot()), Some(Head::new()));
    }

    #[test]
    fn without_a_whole_slot_head_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        advanced(dir.path());
        std::fs::write(HeadFile::path(dir.path()), [0; 100]).unwrap();
        assert!(matches!(
            HeadFile::open(dir.path()),
            Err(JournalError::Damaged { .. })
        ));
    }
}
