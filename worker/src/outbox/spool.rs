//! Reports on the worker's disk until the coordinator has them: one append-only file for each start of the daemon, written in groups before they are sent,
//! so that `kill -9` loses none. Not synced: a power cut ends the steps as well, and what it takes from here costs a new attempt, never a wrong result.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tidemill_protocol::codec;
use tidemill_protocol::wire::Report;

/// Longest record that is read.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A file whose reports are all stored is emptied once it has grown beyond this.
const EMPTY_BYTES: u64 = 64 * 1024;

/// The file of one start of the daemon.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    length: u64,
}

/// Reports of an earlier start of the daemon, oldest first.
#[derive(Debug)]
pub(super) struct Backlog {
    pub path: PathBuf,
    pub reports: Vec<Report>,
}

impl Spool {
    /// Starts the file of this incarnation.
    pub(super) fn create(dir: &Path, incarnation: u64) -> io::Result<Self> {
        let path = dir.join(format!("{incarnation}.reports"));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            length: 0,
        })
    }

    /// Adds reports.
    pub(super) fn append<'a>(&mut self, reports: impl Iterator<Item = &'a Report>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for report in reports {
            let body = codec::encode(report);
            let length = u32::try_from(body.len()).expect("a report is far smaller than 4 GiB");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&checksum(&body));
            bytes.extend_from_slice(&body);
        }
        self.file.write_all(&bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Empties the file if it has grown; only when the coordinator has everything in it.
    pub(super) fn all_stored(&mut self) -> io::Result<()> {
        if self.length > EMPTY_BYTES {
            self.file.set_len(0)?;
            self.length = 0;
        }
        Ok(())
    }

    /// Removes the file, for which the coordinator must have everything in it.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(self.path)
    }
}

/// Reads what earlier starts of the daemon left behind, oldest first.
pub(super) fn backlogs(dir: &Path) -> io::Result<Vec<Backlog>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let incarnation = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(incarnation) = incarnation {
            let reports = parse(&fs::read(&path)?);
            all.insert(incarnation, Backlog { path, reports });
        }
    }
    Ok(all.into_values().collect())
}

/// Whole records up to the first that was torn by a crash.
fn parse(mut bytes: &[u8]) -> Vec<Report> {
    let mut reports = Vec::new();
    while let Some((report, rest)) = next(bytes) {
        reports.push(report);
        bytes = rest;
    }
    reports
}

fn next(bytes: &[u8]) -> Option<(Report, &[u8])> {
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

fn checksum(body: &[u8]) -> [u8; 8] {
    let mut sum = [0; 8];
    sum.copy_from_slice(&blake3::hash(body).as_bytes()[..8]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex};
    use tidemill_protocol::time::Timestamp;
    use tidemill_protocol::wire::ReportBody;

    fn report(step: u32) -> Report {
        Report {
            attempt: AttemptId {
                run: RunId(uuid::Uuid::nil()),
                step: StepIndex(step),
                attempt: 1,
            },
            token: FencingToken(1),
            at: Timestamp(1),
            body: ReportBody::Claimed,
        }
    }

    #[test]
    fn reports_are_found_again_and_a_torn_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::create(dir.path(), 7).unwrap();
        spool.append([report(1), report(2)].iter()).unwrap();
        spool.append([report(3)].iter()).unwrap();
        spool.file.set_len(spool.length - 1).unwrap();
        let backlogs = backlogs(dir.path()).unwrap();
        assert_eq!(backlogs.len(), 1);
        assert_eq!(backlogs[0].reports, [report(1), report(2)]);
    }

    #[test]
    fn two_starts_never_share_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let _one = Spool::create(dir.path(), 7).unwrap();
        assert!(Spool::create(dir.path(), 7).is_err());
    }
}
