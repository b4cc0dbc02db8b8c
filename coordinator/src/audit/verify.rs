//! Whether an audit log is whole: every line's number follows the one before, every hash fits, and the log reaches as far as its head says. Reads only.

use super::layout::{Link, anchor, files, head};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use tidemill_protocol::api::AuditEntry;
use tidemill_protocol::digest::Digest;

/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// What is wrong with an audit log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditDamage {
    /// It cannot be read.
    #[error("the audit log cannot be read")]
    Unreadable(#[from] io::Error),
    /// A line is not what the lines around it say.
    #[error("{}, line {line}: {what}", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line in it, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
    /// It ends before it should.
    #[error("the audit log ends with entry {last}, and there were {head}")]
    Short {
        /// The last entry that is there.
        last: u64,
        /// The last one that was.
        head: u64,
    },
    /// The entry up to which it was durable is another one now.
    #[error("entry {0} of the audit log is not the one that was written")]
    Head(u64),
}

/// A log that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The first entry that is kept; one more than the last when there is none.
    pub first: u64,
    /// The last entry; 0 when there was never one.
    pub last: u64,
    /// The hash of the last line. Kept elsewhere, it proves later that nothing before it was changed.
    pub hash: Digest,
}

/// Verifies the log in a folder; it may be written to meanwhile.
pub fn verify(dir: &Path) -> Result<Verified, AuditDamage> {
    let (head, start) = (head(dir)?, anchor(dir)?);
    let mut last = start;
    let mut at_head = (head == Some(start)).then_some(start.hash);
    for path in files(dir)? {
        walk(&path, |line, entry, hash| {
            if entry.sequence <= start.sequence && last == start {
                // A file that was about to be forgotten when the power went.
                return Ok(());
            }
            let wrong = |what: String| damage(&path, line, what);
            if entry.sequence != last.sequence + 1 {
                let what = format!("entry {} follows entry {}", entry.sequence, last.sequence);
                return Err(wrong(what));
            }
            if entry.previous != last.hash {
                return Err(wrong(format!(
                    "entry {} is not the one that was written",
                    last.sequence
                )));
            }
            last = Link {
                sequence: entry.sequence,
                hash,
            };
            if head.is_some_and(|head| head.sequence == last.sequence) {
                at_head = Some(hash);
            }
            Ok(())
        })?;
    }
    if let Some(head) = head {
        if last.sequence < head.sequence {
            return Err(AuditDamage::Short {
                last: last.sequence,
                head: head.sequence,
            });
        }
        if at_head != Some(head.hash) {
            return Err(AuditDamage::Head(head.sequence));
        }
    } else if last.sequence > 0 {
        let gone = io::Error::new(io::ErrorKind::NotFound, "its file `head` is gone");
        return Err(gone.into());
    }
    Ok(Verified {
        first: start.sequence + 1,
        last: last.sequence,
        hash: last.hash,
    })
}

/// Verifies a file that was exported: whole in itself, from its first line on.
pub fn verify_file(path: &Path) -> Result<Verified, AuditDamage> {
    let mut found: Option<Verified> = None;
    let end = walk(path, |line, entry, hash| {
        if let Some(before) = &found {
            let wrong = |what: String| damage(path, line, what);
            if entry.sequence != before.last + 1 {
                return Err(wrong(format!(
                    "entry {} follows entry {}",
                    entry.sequence, before.last
                )));
            }
            if entry.previous != before.hash {
                return Err(wrong(format!(
                    "entry {} is not the one that was written",
                    before.last
                )));
            }
        }
        found = Some(Verified {
            first: found.map_or(entry.sequence, |before| before.first),
            last: entry.sequence,
            hash,
        });
        Ok(())
    })?;
    if end != path.metadata()?.len() {
        return Err(damage(path, 0, "its last line is not whole".to_owned()));
    }
    found.ok_or_else(|| damage(path, 0, "it has no entries".to_owned()))
}

/// How far a file's whole lines reach.
#[derive(Debug)]
pub(super) struct End {
    /// Their length in bytes.
    pub(super) length: u64,
    /// The last one.
    pub(super) last: Option<Link>,
}

/// Where a file's whole lines end.
pub(super) fn end_of(path: &Path) -> Result<End, AuditDamage> {
    let mut last = None;
    let length = walk(path, |_, entry, hash| {
        last = Some(Link {
            sequence: entry.sequence,
            hash,
        });
        Ok(())
    })?;
    Ok(End { length, last })
}

/// Refuses a log that does not reach as far as its head says.
pub(super) fn check_head(head: Option<Link>, last: Link) -> Result<(), AuditDamage> {
    match head {
        Some(head) if head.sequence > last.sequence => Err(AuditDamage::Short {
            last: last.sequence,
            head: head.sequence,
        }),
        Some(head) if head.sequence == last.sequence && head.hash != last.hash => {
            Err(AuditDamage::Head(head.sequence))
        }
        _ => Ok(()),
    }
}

/// Shows every whole line to `look`, with its number in the file and its hash. Answers how many bytes they have.
fn walk(
    path: &Path,
    mut look: impl FnMut(u64, AuditEntry, Digest) -> Result<(), AuditDamage>,
) -> Result<u64, AuditDamage> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut length, mut number, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let read = io::Read::take(&mut reader, LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            if read as u64 == LINE_BYTES_MAX {
                return Err(damage(path, number + 1, "the line is too long".to_owned()));
            }
            return Ok(length);
        }
        number += 1;
        length += read as u64;
        let entry: AuditEntry = serde_json::from_slice(&line)
            .map_err(|error| damage(path, number, format!("it is no entry: {error}")))?;
        look(number, entry, Digest::of(&line))?;
    }
}

fn damage(path: &Path, line: u64, what: String) -> AuditDamage {
    AuditDamage::Line {
        file: path.to_owned(),
        line,
        what,
    }
}
