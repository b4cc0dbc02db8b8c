//! What lies where in the folder of the audit log, and how its small files are written. Reads only.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use tidemill_protocol::api::AuditEntry;
use tidemill_protocol::digest::Digest;

/// The hash before the very first line.
const GENESIS: Digest = Digest::from_bytes([0; 32]);
/// The file of the last durable line.
pub(super) const HEAD: &str = "head";
/// The file of the last forgotten one.
pub(super) const ANCHOR: &str = "anchor";

/// A place in the chain: a line's number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: Digest,
}

impl Link {
    /// Before the first line.
    pub(super) const START: Self = Self {
        sequence: 0,
        hash: GENESIS,
    };

    fn parse(text: &str) -> Option<Self> {
        let (sequence, hash) = text.trim_end().split_once(' ')?;
        Some(Self {
            sequence: sequence.parse().ok()?,
            hash: hash.parse().ok()?,
        })
    }

    /// Always of the same length, so that it can be overwritten in place.
    pub(super) fn text(&self) -> String {
        format!("{:020} {}\n", self.sequence, self.hash)
    }
}

/// The files of lines, oldest first.
pub(super) fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The first line of a file; none when it has none yet.
pub(super) fn first_line(path: &Path) -> io::Result<Option<AuditEntry>> {
    let mut line = String::new();
    BufReader::new(File::open(path)?).read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// The last durable line, as the log says itself; none when it was never begun.
pub(super) fn head(dir: &Path) -> io::Result<Option<Link>> {
    link(&dir.join(HEAD))
}

/// The last line that was forgotten.
pub(super) fn anchor(dir: &Path) -> io::Result<Link> {
    Ok(link(&dir.join(ANCHOR))?.unwrap_or(Link::START))
}

fn link(path: &Path) -> io::Result<Option<Link>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let unreadable = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is damaged", path.display()),
        )
    };
    Link::parse(&text).ok_or_else(unreadable).map(Some)
}
