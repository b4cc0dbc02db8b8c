//! Snapshots: the engine's whole state at one sequence number, so that a restart reads only what came after. Each is a file of its own, written whole
//! and hashed; the last few are kept, so one that rots leaves another. Also the two ways in which this house makes files durable.

use super::JournalError;
use super::record::field;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use tidemill_protocol::digest::Digest;

/// How many snapshots are kept.
pub const SNAPSHOTS_KEPT: usize = 3;

const MAGIC: [u8; 8] = *b"TMSNAP1\0";
const HEADER_BYTES: usize = 56;
const EXTENSION: &str = "snapshot";

/// The snapshots of one journal.
#[derive(Debug, Clone)]
pub struct Snapshots {
    dir: PathBuf,
}

impl Snapshots {
    /// The snapshots of the journal in `dir`.
    pub fn of(dir: &Path) -> Self {
        Self {
            dir: dir.join("snapshots"),
        }
    }

    /// Writes the state as it was after event `sequence`, durably, then forgets all but the newest few. Answers the oldest that is kept.
    pub fn write(&self, sequence: u64, state: &[u8]) -> Result<u64, JournalError> {
        fs::create_dir_all(&self.dir).map_err(|e| JournalError::io("create", &self.dir, e))?;
        let mut header = [0; HEADER_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        header[8..16].copy_from_slice(&sequence.to_le_bytes());
        header[16..24].copy_from_slice(&(state.len() as u64).to_le_bytes());
        header[24..].copy_from_slice(seal(sequence, state).as_bytes());
        replace_file(&self.dir.join("new"), &self.path(sequence), &[&header, state])?;
        let mut kept = self.list()?;
        while kept.len() > SNAPSHOTS_KEPT {
            let path = self.path(kept.remove(0));
            fs::remove_file(&path).map_err(|e| JournalError::io("remove", &path, e))?;
        }
        Ok(kept.first().copied().unwrap_or(sequence))
    }

    /// Reads the snapshot at this sequence number; none when it is not whole.
    pub fn read(&self, sequence: u64) -> Result<Option<Vec<u8>>, JournalError> {
        let path = self.path(sequence);
        let mut bytes = fs::read(&path).map_err(|e| JournalError::io("read", &path, e))?;
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let state = &bytes[HEADER_BYTES..];
        let whole = header[..8] == MAGIC
            && u64::from_le_bytes(field(header, 8)) == sequence
            && u64::from_le_bytes(field(header, 16)) == state.len() as u64
            && Digest::from_bytes(field(header, 24)) == seal(sequence, state);
        Ok(whole.then(|| bytes.split_off(HEADER_BYTES)))
    }

    /// The sequence numbers of the snapshots that exist, oldest first.
    pub fn list(&self) -> Result<Vec<u64>, JournalError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(JournalError::io("read", &self.dir, error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| JournalError::io("read", &self.dir, e))?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                let stem = path.file_stem().and_then(|stem| stem.to_str());
                found.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn path(&self, sequence: u64) -> PathBuf {
        self.dir.join(format!("{sequence:020}.{EXTENSION}"))
    }
}

fn seal(sequence: u64, state: &[u8]) -> Digest {
    let mut hasher = tidemill_protocol::digest::CanonicalHasher::new("tidemill/snapshot/v1");
    hasher.number(sequence).bytes(state);
    hasher.finish()
}

/// Writes a file so that it is either there whole or not at all, whatever happens: under another name, synced, renamed, folder synced.
pub(super) fn replace_file(draft: &Path, path: &Path, pieces: &[&[u8]]) -> Result<(), JournalError> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(draft)?;
        for piece in pieces {
            file.write_all(piece)?;
        }
        file.sync_all()
    };
    write().map_err(|e| JournalError::io("write", draft, e))?;
    fs::rename(draft, path).map_err(|e| JournalError::io("rename", draft, e))?;
    sync_path(path.parent().unwrap_or(path))
}

/// Makes a file's content or a folder's list of names durable.
pub(super) fn sync_path(path: &Path) -> Result<(), JournalError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|e| JournalError::io("sync", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::of(dir.path());
        for sequence in [5, 900, 10_000, 20_000] {
            snapshots.write(sequence, &sequence.to_le_bytes()).unwrap();
        }
        assert_eq!(snapshots.list().unwrap(), [900, 10_000, 20_000]);
        assert_eq!(snapshots.read(20_000).unwrap().unwrap(), 20_000_u64.to_le_bytes());
    }

    #[test]
    fn a_damaged_snapshot_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::of(dir.path());
        snapshots.write(7, b"state").unwrap();
        let path = snapshots.path(7);
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bent = whole.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bent).unwrap();
            assert_eq!(snapshots.read(7).unwrap(), None, "bit {bit}");
        }
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(snapshots.read(7).unwrap(), None, "length {length}");
        }
    }
}
