//! Looking at the audit log while it is written: entries that fit a question, and all of it for an export. Blocking but for the export.

use super::layout::{files, first_line};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tidemill_protocol::api::{AuditDecision, AuditEntry};
use tidemill_protocol::time::Timestamp;
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

/// Bytes at the end of a file in which its last whole line ends.
const TAIL_BYTES: u64 = 128 * 1024;

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditQuery {
    /// Only those with a larger number.
    pub(crate) after: u64,
    /// Only those from this moment on.
    pub(crate) since: Option<Timestamp>,
    /// Only those of this subject or token.
    pub(crate) who: Option<String>,
    /// Only those with this decision.
    pub(crate) decision: Option<AuditDecision>,
    /// At most so many.
    pub(crate) limit: usize,
}

impl AuditQuery {
    fn fits(&self, entry: &AuditEntry) -> bool {
        entry.sequence > self.after
            && self.since.is_none_or(|since| entry.at >= since)
            && self
                .who
                .as_ref()
                .is_none_or(|who| entry.who == *who || entry.token.as_ref() == Some(who))
            && self.decision.is_none_or(|decision| entry.decision == decision)
    }
}

/// The oldest entries that fit.
pub(crate) fn read(dir: &Path, query: &AuditQuery) -> io::Result<Vec<AuditEntry>> {
    let paths = files(dir)?;
    let mut found = Vec::new();
    for path in paths.get(begin_at(&paths, query)..).unwrap_or_default() {
        for line in BufReader::new(File::open(path)?).lines() {
            // A line that is being written, or a damaged one: whether the log is whole is `verify`'s question.
            let Ok(entry) = serde_json::from_str::<AuditEntry>(&line?) else {
                continue;
            };
            if query.fits(&entry) {
                found.push(entry);
            }
            if found.len() >= query.limit {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// The last file before which nothing can fit.
fn begin_at(paths: &[PathBuf], query: &AuditQuery) -> usize {
    for (index, path) in paths.iter().enumerate().rev() {
        let Ok(Some(first)) = first_line(path) else {
            continue;
        };
        let is_before = query.since.is_some_and(|since| first.at < since);
        if is_before || first.sequence <= query.after + 1 {
            return index;
        }
    }
    0
}

/// Every whole line that there is now, as it stands in the files.
pub(crate) fn export(dir: &Path) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let mut pieces = Vec::new();
    for path in files(dir)? {
        pieces.push((whole_length(&path)?, path));
    }
    let streams = stream::iter(pieces).then(|(length, path)| async move {
        let file = tokio::fs::File::open(path).await?;
        Ok::<_, io::Error>(ReaderStream::new(file.take(length)))
    });
    Ok(streams.try_flatten())
}

/// How long a file is up to its last whole line.
fn whole_length(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(length - from).read_to_end(&mut tail)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n');
    Ok(end.map_or(from, |end| from + end as u64 + 1))
}
