//! The files of the audit log: appending, changing to the next file, and forgetting the oldest. Blocking; the writer calls it where that is no harm.
//!
//! ```text
//! audit/00000000000000000001.jsonl   lines from this number on; the newest file is appended to
//! audit/head                         number and hash of the last durable line, written after it is durable: it never runs ahead
//! audit/anchor                       number and hash of the last line that was forgotten; absent while none was
//! ```

use super::layout::{ANCHOR, HEAD, Link, anchor, files, first_line, head};
use super::verify::{self, AuditDamage};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tidemill_protocol::api::AuditEntry;
use tidemill_protocol::digest::Digest;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditLimits {
    /// From this length on the next line begins a new file.
    pub file_bytes_max: u64,
    /// When the files together are longer, the oldest is forgotten.
    pub total_bytes_max: u64,
}

impl Default for AuditLimits {
    fn default() -> Self {
        Self {
            file_bytes_max: 16 * 1024 * 1024,
            total_bytes_max: 1024 * 1024 * 1024,
        }
    }
}

/// The files, open for appending.
#[derive(Debug)]
pub(crate) struct Files {
    dir: PathBuf,
    limits: AuditLimits,
    newest: Option<Newest>,
    head: File,
    last: Link,
}

#[derive(Debug)]
struct Newest {
    file: File,
    /// How long the whole lines in it are. What lies beyond was never answered for.
    length: u64,
}

impl Files {
    /// Opens the log in this folder, or begins one. A last line that was being written at the end of an earlier process is cut; anything else that is
    /// missing is damage.
    pub(crate) fn open(dir: &Path, limits: AuditLimits) -> Result<Self, AuditDamage> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut paths = files(dir)?;
        while let Some(path) = paths.last()
            && fs::metadata(path)?.len() == 0
        {
            fs::remove_file(path)?;
            paths.pop();
        }
        let mut last = anchor(dir)?;
        let mut newest = None;
        if let Some(path) = paths.last() {
            let end = verify::end_of(path)?;
            let file = OpenOptions::new().append(true).open(path)?;
            if file.metadata()?.len() > end.length {
                tracing::warn!("cut a torn line at the end of the audit log");
                file.set_len(end.length)?;
            }
            if let Some(link) = end.last {
                last = link;
            }
            newest = Some(Newest {
                file,
                length: end.length,
            });
        }
        verify::check_head(head(dir)?, last)?;
        let head = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join(HEAD))?;
        head.write_all_at(last.text().as_bytes(), 0)?;
        head.sync_all()?;
        sync_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            limits,
            newest,
            head,
            last,
        })
    }

    /// Numbers and chains these entries, and makes them durable. Answers the number of the first; after a failure the log is as it was.
    pub(crate) fn append(&mut self, entries: &[AuditEntry]) -> io::Result<u64> {
        let first = self.last.sequence + 1;
        let (mut last, mut bytes) = (self.last, Vec::new());
        for entry in entries {
            let line = AuditEntry {
                sequence: last.sequence + 1,
                previous: last.hash,
                ..entry.clone()
            };
            let line = serde_json::to_vec(&line).expect("an entry is plain data");
            last = Link {
                sequence: last.sequence + 1,
                hash: Digest::of(&line),
            };
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
        }
        self.write(first, &bytes)?;
        self.last = last;
        // It may lag behind, so that a failure costs nothing but sharpness.
        if let Err(error) = self.head.write_all_at(last.text().as_bytes(), 0) {
            tracing::warn!(%error, "the head of the audit log lags behind");
        }
        Ok(first)
    }

    fn write(&mut self, first: u64, bytes: &[u8]) -> io::Result<()> {
        let is_full = |newest: &Newest| newest.length >= self.limits.file_bytes_max;
        if self.newest.as_ref().is_none_or(is_full) {
            self.newest = Some(begin(&self.dir, first)?);
            self.forget_oldest()?;
        }
        let newest = self.newest.as_mut().expect("there is a file to append to");
        // What a write that failed left behind is no line.
        if newest.file.metadata()?.len() > newest.length {
            newest.file.set_len(newest.length)?;
        }
        newest.file.write_all(bytes)?;
        newest.file.sync_data()?;
        newest.length += bytes.len() as u64;
        Ok(())
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let paths = files(&self.dir)?;
        let lengths = paths.iter().map(|path| Ok(fs::metadata(path)?.len()));
        let mut total: u64 = lengths.collect::<io::Result<Vec<u64>>>()?.iter().sum();
        // The newest two stay: the newest has no first line yet from which the chain could be taken up.
        for pair in paths.windows(2).take(paths.len().saturating_sub(2)) {
            if total <= self.limits.total_bytes_max {
                break;
            }
            let [oldest, next] = pair else { break };
            let Some(line) = first_line(next)? else { break };
            let anchor = Link {
                sequence: line.sequence - 1,
                hash: line.previous,
            };
            write_anchor(&self.dir, anchor)?;
            total -= fs::metadata(oldest)?.len();
            fs::remove_file(oldest)?;
        }
        Ok(())
    }
}

fn begin(dir: &Path, first: u64) -> io::Result<Newest> {
    let path = dir.join(format!("{first:020}.jsonl"));
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    sync_dir(dir)?;
    Ok(Newest { file, length: 0 })
}

fn write_anchor(dir: &Path, anchor: Link) -> io::Result<()> {
    let draft = dir.join("anchor.new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(anchor.text().as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, dir.join(ANCHOR))?;
    sync_dir(dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
