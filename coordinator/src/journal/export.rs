//! The lines of an export, and reading them back: `import` is the inverse of `export`. The last line seals the others, so that one that was cut, changed or
//! put in another order is refused.

use super::JournalError;
use super::claim::Claim;
use super::log::{Batch, EventLog};
use super::rebuild::create_at;
use crate::entry::Spelled;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};
use std::path::PathBuf;
use tidemill_protocol::digest::Digest;

/// Longest line that is read: a run of 100,000 steps needs some tens of MiB.
const LINE_BYTES_MAX: u64 = 512 << 20;
/// Events that become one batch.
const BATCH_EVENTS: u32 = 1_000;

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) end: Seal,
}

/// Seals lines: each counts, and its place too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    /// How many events there are.
    pub(super) events: u64,
    digest: Digest,
}

impl Default for Seal {
    fn default() -> Self {
        Self {
            events: 0,
            digest: Digest::of(b""),
        }
    }
}

impl Seal {
    /// Adds a line without its end.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.events += 1;
        self.digest = Digest::of(&[self.digest.as_bytes(), line].concat());
    }
}

/// Why an export could not be read back. Nothing was put in the journal's place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It could not be read.
    #[error("the export cannot be read")]
    Read(#[from] std::io::Error),
    /// A line is not what an export holds there.
    #[error("line {line} is not an event of an export")]
    Line {
        /// Its number, counted from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line says nothing, or two things at once.
    #[error("line {line} says nothing that can happen, or several things at once")]
    Nothing {
        /// Its number, counted from 1.
        line: u64,
    },
    /// The state folder holds a journal already.
    #[error("there is a journal at {} already", .0.display())]
    Exists(PathBuf),
    /// An event is missing, or stands twice.
    #[error("line {line} holds event {found}, not event {expected}")]
    OutOfPlace {
        /// The line's number, counted from 1.
        line: u64,
        /// The event that should stand there.
        expected: u64,
        /// The event that does.
        found: u64,
    },
    /// The export does not begin with the first event: what came before is in snapshots only.
    #[error(
        "the export begins with event {0}: what came before was pruned, and only an archive or a backup has it"
    )]
    NotFromTheStart(u64),
    /// The last line is missing: it was cut.
    #[error("the export is not whole: its last line, which seals it, is missing")]
    Cut,
    /// The last line does not fit the others.
    #[error("the export was changed: its last line does not fit the {0} events before it")]
    Changed(u64),
    /// The journal could not be written.
    #[error("the journal cannot be written")]
    Journal(#[from] JournalError),
}

/// Reads an export into a new journal in a claimed, empty folder. Answers how many events there are.
pub fn import(from: &mut dyn BufRead, claim: Claim) -> Result<u64, ImportError> {
    let mut log = create_at(claim, 1, b"")?;
    let (mut seal, mut batch, mut text) = (Seal::default(), Batch::default(), Vec::new());
    loop {
        text.clear();
        Read::take(&mut *from, LINE_BYTES_MAX).read_until(b'\n', &mut text)?;
        // A last line without its end may be half a line.
        let Some(line) = text.strip_suffix(b"\n") else {
            return Err(ImportError::Cut);
        };
        if line.starts_with(b"{\"end\"") {
            break;
        }
        let number = seal.events + 1;
        let read = serde_json::from_slice::<Spelled>(line);
        let read = read.map_err(|source| ImportError::Line { line: number, source })?;
        let sequence = read.sequence.unwrap_or(0);
        if sequence != number {
            return Err(match number {
                1 => ImportError::NotFromTheStart(sequence),
                expected => ImportError::OutOfPlace {
                    line: number,
                    expected,
                    found: sequence,
                },
            });
        }
        seal.add(line);
        batch.push_event(&read.entry().ok_or(ImportError::Nothing { line: number })?);
        if batch.len() == BATCH_EVENTS {
            log.append(&batch)?;
            batch.clear();
        }
    }
    let found = serde_json::from_slice::<End>(text.trim_ascii_end());
    if !found.is_ok_and(|found| found.end == seal) {
        return Err(ImportError::Changed(seal.events));
    }
    if !batch.is_empty() {
        log.append(&batch)?;
    }
    log.settle()?;
    Ok(seal.events)
}
