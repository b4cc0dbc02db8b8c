//! Hashes remembered between scans of the same folder, under the files' stamps (device, inode, length, both times). A lost or damaged
//! memory costs time and nothing else, so it is not flushed; a hash is only kept when a later write must change the stamp.

use super::content::Hashed;
use crate::stamp::Stamp;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tidemill_protocol::codec;
use tidemill_protocol::digest::Digest;

/// First field of a memory: what the rest means.
const FORMAT: u32 = 1;
/// Most folders that are remembered; those not scanned for longest are forgotten.
const FOLDERS_MAX: usize = 256;

/// What one scan may skip reading.
#[derive(Debug, Default)]
pub(super) struct HashCache {
    file: Option<PathBuf>,
    known: HashMap<Stamp, Digest>,
}

impl HashCache {
    /// The memory of `root` in `folder`; empty without a folder or on the first scan.
    pub(super) fn open(folder: Option<&Path>, root: &Path) -> Self {
        let Some(folder) = folder else {
            return Self::default();
        };
        let name = Digest::of(root.as_os_str().as_encoded_bytes()).to_hex();
        let file = folder.join(format!("{name}.hashes"));
        let known = fs::read(&file)
            .ok()
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default();
        Self {
            file: Some(file),
            known,
        }
    }

    /// The digest of the file with this stamp.
    pub(super) fn get(&self, stamp: &Stamp) -> Option<Digest> {
        self.known.get(stamp).copied()
    }

    /// Keeps the hashes of these files instead of what was known.
    pub(super) fn remember(&mut self, files: &[Hashed]) {
        let Some(file) = self.file.clone() else {
            return;
        };
        let settled = files.iter().filter(|file| file.settled);
        let known: HashMap<Stamp, Digest> = settled.map(|file| (file.found.stamp, file.digest)).collect();
        if known == self.known {
            return;
        }
        if let Err(error) = write(&file, &encode(&known)) {
            tracing::debug!(file = %file.display(), %error, "cannot remember hashes");
        }
        self.known = known;
    }
}

fn encode(known: &HashMap<Stamp, Digest>) -> Vec<u8> {
    let entries: Vec<(&Stamp, &Digest)> = known.iter().collect();
    let body = rmp_serde::to_vec(&(FORMAT, entries)).expect("stamps and digests are representable");
    let mut bytes = Digest::of(&body).as_bytes().to_vec();
    bytes.extend(body);
    bytes
}

fn decode(bytes: &[u8]) -> Option<HashMap<Stamp, Digest>> {
    let (checksum, body) = bytes.split_at_checked(32)?;
    if Digest::of(body).as_bytes() != checksum {
        return None;
    }
    let (format, entries): (u32, Vec<(Stamp, Digest)>) = codec::decode(body).ok()?;
    (format == FORMAT).then(|| entries.into_iter().collect())
}

fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().expect("a memory lies in a folder");
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.persist(file)?;
    forget_oldest(folder)
}

fn forget_oldest(folder: &Path) -> io::Result<()> {
    let mut memories = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        memories.push((entry.metadata()?.modified()?, entry.path()));
    }
    memories.sort();
    let surplus = memories.len().saturating_sub(FOLDERS_MAX);
    memories
        .into_iter()
        .take(surplus)
        .try_for_each(|(_, path)| fs::remove_file(path))
}
