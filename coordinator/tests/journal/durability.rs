//! What was appended comes back: across restarts, in batches small and large, after pruning and after a crash.

use super::{assert_whole, batch, claim, fill, open, tamper};
use std::fs;
use tidemill_coordinator::journal::{Batch, Claim, EventLog, JournalError, SledLog};

#[test]
fn events_come_back_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 100);
    drop(log);
    let mut log = open(dir.path());
    assert_whole(&log, 100);
    fill(&mut log, 150);
    drop(log);
    assert_whole(&open(dir.path()), 150);
}

#[test]
fn a_batch_larger_than_a_record_comes_back_and_no_file_stands_beside_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    let large: Vec<u8> = (0..3_000_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(3_000_000)
        .collect();
    let mut mixed = Batch::default();
    mixed.push(b"before");
    mixed.push(&large);
    mixed.push(b"after");
    for round in 0..8 {
        assert_eq!(log.append(&mixed).unwrap(), 3 * (round + 1));
    }
    drop(log);
    let events = open(dir.path()).reader().read(23, 1).unwrap();
    assert_eq!(events[0], (23, large));
    let blobs = fs::read_dir(dir.path().join("records/blobs")).unwrap().count();
    assert_eq!(blobs, 0, "sled never syncs blobs: no value may become one");
}

#[test]
fn pruned_events_are_gone_and_the_rest_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 500);
    log.prune(301).unwrap();
    let first = log.first();
    assert!((290..=301).contains(&first), "{first}");
    assert_whole(&log, 500);
    drop(log);
    let mut log = open(dir.path());
    assert_eq!(log.first(), first);
    assert_whole(&log, 500);
    fill(&mut log, 520);
    assert_whole(&log, 520);
}

#[test]
fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    assert!(matches!(Claim::take(dir.path()), Err(JournalError::InUse(_))));
    drop(log);
    drop(claim(dir.path()));
}

#[test]
fn records_after_head_are_kept_when_they_are_sound() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 50);
    log.settle().unwrap();
    let older = fs::read(dir.path().join("HEAD")).unwrap();
    fill(&mut log, 90);
    drop(log);
    fs::write(dir.path().join("HEAD"), older).unwrap();
    assert_whole(&open(dir.path()), 90);
}

#[test]
fn a_torn_batch_after_head_is_cut_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path());
    fill(&mut log, 50);
    log.settle().unwrap();
    drop(log);
    // The record of a batch that was being written when the machine stopped.
    let mut key = 51_u64.to_be_bytes().to_vec();
    key.extend_from_slice(&[0; 4]);
    tamper(dir.path(), |records| {
        records.insert(key, &b"TJ\x01\0half a record"[..]).unwrap();
    });
    let (mut log, cut) = SledLog::open(claim(dir.path())).unwrap();
    let cut = cut.expect("a tail was cut");
    assert_eq!((cut.kept, cut.records), (50, 1));
    log.append(&batch(51..=60)).unwrap();
    drop(log);
    let (log, cut) = SledLog::open(claim(dir.path())).unwrap();
    assert_eq!(cut, None);
    assert_whole(&log, 60);
}
