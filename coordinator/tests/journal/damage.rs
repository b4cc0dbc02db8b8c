//! Damage of every kind: whatever was durable before is either all there, or the journal is refused.

use super::child::{Outcome, open_in_child};
use super::{assert_whole, claim, fill, open, tamper};
use std::fs;
use std::path::{Path, PathBuf};
use tidemill_coordinator::journal::{EventLog, JournalError, SledLog, repair};

const LAST: u64 = 400;
/// How many places are damaged in each test: spread over the whole file, with an odd step so that every field is met.
const TRIALS: usize = 48;

struct Original {
    dir: tempfile::TempDir,
}

impl Original {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(&dir.path().join("original"));
        fill(&mut log, LAST);
        log.settle().unwrap();
        Self { dir }
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join("original").join(name)).unwrap()
    }

    /// A copy in which one file has other bytes.
    fn copy_with(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let copy = self.dir.path().join("copy");
        drop(fs::remove_dir_all(&copy));
        copy_folder(&self.dir.path().join("original"), &copy);
        fs::write(copy.join(name), bytes).unwrap();
        copy
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// Places spread over a length; the used beginning of sled's file is what matters, its end is empty.
fn places(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
    let step = (used / TRIALS).max(1) | 1;
    (0..used).step_by(step)
}

fn assert_never_silent(damaged: &Path, what: &str) -> bool {
    let outcome = open_in_child(damaged);
    assert!(
        matches!(outcome, Outcome::Whole(LAST) | Outcome::Refused),
        "{what}: {outcome:?}"
    );
    outcome == Outcome::Refused
}

#[test]
fn a_truncated_database_is_whole_or_refused() {
    let original = Original::new();
    let whole = original.file("records/db");
    let refused = places(&whole)
        .filter(|&length| {
            let copy = original.copy_with("records/db", &whole[..length]);
            assert_never_silent(&copy, &format!("cut at {length}"))
        })
        .count();
    assert!(
        refused > TRIALS / 2,
        "only {refused} were refused: the cuts met nothing"
    );
}

#[test]
fn a_flipped_bit_in_the_database_is_harmless_or_refused() {
    let original = Original::new();
    let whole = original.file("records/db");
    let mut refused = 0;
    for place in places(&whole) {
        let mut bent = whole.clone();
        bent[place] ^= 1 << (place % 8);
        let copy = original.copy_with("records/db", &bent);
        refused += usize::from(assert_never_silent(&copy, &format!("bit in byte {place}")));
    }
    assert!(refused > 0, "no flipped bit was noticed");
}

#[test]
fn a_block_of_zeros_in_the_database_is_harmless_or_refused() {
    let original = Original::new();
    let whole = original.file("records/db");
    for place in places(&whole).step_by(3) {
        let mut bent = whole.clone();
        let end = (place + 4096).min(bent.len());
        bent[place..end].fill(0);
        let copy = original.copy_with("records/db", &bent);
        assert_never_silent(&copy, &format!("zeros from {place}"));
    }
}

#[test]
fn a_journal_without_records_or_without_head_is_refused() {
    let original = Original::new();
    let dir = original.copy_with("LOCK", b"");
    fs::remove_dir_all(dir.join("records")).unwrap();
    let refused = SledLog::open(claim(&dir)).unwrap_err();
    assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");
    assert!(
        refused.to_string().contains("tidemill journal repair"),
        "{refused}"
    );

    let dir = original.copy_with("LOCK", b"");
    fs::remove_file(dir.join("HEAD")).unwrap();
    let refused = SledLog::open(claim(&dir)).unwrap_err();
    assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");
}

#[test]
fn a_record_that_vanished_before_head_is_refused_and_repair_keeps_what_is_whole() {
    let original = Original::new();
    let dir = original.copy_with("LOCK", b"");
    let mut lost_from = 0;
    tamper(&dir, |records| {
        let keys: Vec<_> = records.iter().keys().map(Result::unwrap).collect();
        let victim = &keys[keys.len() / 2];
        lost_from = u64::from_be_bytes(victim[..8].try_into().unwrap());
        records.remove(victim).unwrap();
    });

    let refused = SledLog::open(claim(&dir)).unwrap_err();
    assert!(matches!(refused, JournalError::Damaged { .. }), "{refused}");

    let repaired = repair(&dir, true).unwrap();
    assert_eq!(repaired.last, lost_from - 1);
    assert_eq!(repaired.expected, Some(LAST));
    assert!(repaired.set_aside.join("records/db").exists());
    let mut log = open(&dir);
    assert_whole(&log, lost_from - 1);
    fill(&mut log, lost_from + 10);
}

#[test]
fn an_older_copy_of_the_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 50);
    drop(log);
    let older = fs::read(dir.path().join("records/db")).unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 90);
    drop(log);
    fs::write(dir.path().join("records/db"), older).unwrap();
    assert_eq!(open_in_child(dir.path()), Outcome::Refused);
}

/// What a later version writes: another number, and whatever it likes behind it.
const NEWER: [u8; 2] = [2, 0];

/// A record with its key, as they are stored.
type Stored = (Vec<u8>, Vec<u8>);

/// Every record, and HEAD.
fn content(dir: &Path) -> (Vec<Stored>, Vec<u8>) {
    let mut records = Vec::new();
    tamper(dir, |database| {
        let all = database.iter().map(Result::unwrap);
        records = all.map(|(key, value)| (key.to_vec(), value.to_vec())).collect();
    });
    (records, fs::read(dir.join("HEAD")).unwrap())
}

/// Writes the last record anew.
fn change_last(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    tamper(dir, |records| {
        let (key, value) = records.iter().next_back().unwrap().unwrap();
        let mut value = value.to_vec();
        change(&mut value);
        records.insert(key, value).unwrap();
    });
}

fn assert_refused_as_newer(dir: &Path) {
    let before = content(dir);
    let refused = SledLog::open(claim(dir)).unwrap_err();
    let is_newer = matches!(
        &refused,
        JournalError::NewerFormat {
            found: 2,
            known: 1,
            ..
        }
    );
    assert!(is_newer, "{refused:?}");
    let wanted = format!("the journal at {} has format 2, newer than 1", dir.display());
    assert_eq!(refused.to_string(), wanted);
    assert!(content(dir) == before, "nothing was changed");
}

#[test]
fn a_journal_with_a_record_of_a_newer_format_is_refused_as_such_and_not_touched() {
    let original = Original::new();
    let dir = original.copy_with("LOCK", b"");
    change_last(&dir, |record| record[2..4].copy_from_slice(&NEWER));
    assert_refused_as_newer(&dir);
    // Whoever goes back to the newer version finds all of it.
    change_last(&dir, |record| record[2..4].copy_from_slice(&[1, 0]));
    assert_whole(&open(&dir), LAST);
}

#[test]
fn a_record_of_a_newer_format_after_head_is_no_torn_tail_however_it_checks_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 50);
    log.settle().unwrap();
    drop(log);
    let head = fs::read(dir.path().join("HEAD")).unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 51);
    drop(log);
    fs::write(dir.path().join("HEAD"), head).unwrap();
    change_last(dir.path(), |record| {
        record[2..4].copy_from_slice(&NEWER);
        record[4..].fill(7);
    });
    assert_refused_as_newer(dir.path());
}
