//! What is special about the local store: moving outputs in, what a killed process leaves, bounded memory.

use crate::tree::write;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tidemill_artifacts::{
    Access, ArtifactStore, Cache, Marks, ScanOptions, StoreConfig, StoreError, SweepOptions, collect, scan,
};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::time::{Millis, Timestamp};

async fn open(folder: &Path) -> ArtifactStore {
    ArtifactStore::open(&StoreConfig::local(folder).unwrap())
        .await
        .unwrap()
}

#[tokio::test]
async fn outputs_that_are_given_up_are_moved_in() {
    let folder = tempfile::tempdir().unwrap();
    let (store, output) = (
        open(&folder.path().join("store")).await,
        folder.path().join("output"),
    );
    write(&output, &[("a", "one"), ("b", "two"), ("c", "two")]);
    let collected = collect(&output, ArtifactKind::Tree).unwrap();
    let stored = store.upload_moving(collected, &()).await.unwrap();
    assert!(!output.join("a").exists(), "the file itself is in the store now");
    assert!(store.quarantine(&stored).await.unwrap().is_sound);
}

#[tokio::test]
async fn an_output_with_a_second_name_is_copied_instead() {
    let folder = tempfile::tempdir().unwrap();
    let (store, output) = (
        open(&folder.path().join("store")).await,
        folder.path().join("output"),
    );
    write(&output, &[("a", "one")]);
    fs::hard_link(output.join("a"), output.join("b")).unwrap();
    let stored = store
        .upload_moving(collect(&output, ArtifactKind::Tree).unwrap(), &())
        .await
        .unwrap();
    fs::write(output.join("b"), "written to later").unwrap();
    assert!(
        store.quarantine(&stored).await.unwrap().is_sound,
        "the store has bytes of its own"
    );
}

#[tokio::test]
async fn an_output_that_changed_before_it_was_moved_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (store, output) = (
        open(&folder.path().join("store")).await,
        folder.path().join("output"),
    );
    write(&output, &[("a", "one")]);
    let collected = collect(&output, ArtifactKind::Tree).unwrap();
    fs::write(output.join("a"), "two").unwrap();
    let error = store.upload_moving(collected, &()).await.unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn a_failed_move_loses_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let (store, output) = (
        open(&folder.path().join("store")).await,
        folder.path().join("output"),
    );
    write(&output, &[("a", "one"), ("b", "two")]);
    let collected = collect(&output, ArtifactKind::Tree).unwrap();
    fs::write(output.join("b"), "changed").unwrap();
    store.upload_moving(collected, &()).await.unwrap_err();
    assert_eq!(fs::read(output.join("a")).unwrap(), b"one");
    let stored = store
        .upload_moving(collect(&output, ArtifactKind::Tree).unwrap(), &())
        .await
        .unwrap();
    assert_eq!((stored.files, fs::read_dir(&output).unwrap().count()), (2, 0));
}

#[tokio::test]
async fn a_store_is_closed_to_other_users() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store")).await;
    store.put_bytes("x".into()).await.unwrap();
    let mode = fs::metadata(folder.path().join("store"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o077, 0);
}

#[tokio::test]
async fn what_a_killed_process_left_is_swept_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    write(
        folder.path(),
        &[("tmp/half", "x"), ("attempts/x/1/1/manifest#3", "y")],
    );
    let grace = Millis::from_secs(3600);
    let sweep = |now| SweepOptions {
        now,
        grace,
        dry_run: false,
    };
    assert_eq!(
        store
            .sweep(&Marks::default(), &sweep(Timestamp(0)))
            .await
            .unwrap()
            .deleted,
        0
    );
    let swept = store
        .sweep(&Marks::default(), &sweep(Timestamp(u64::MAX)))
        .await
        .unwrap();
    assert_eq!((swept.deleted, swept.deleted_bytes), (2, 2));
    assert!(!folder.path().join("tmp/half").exists());
}

#[tokio::test]
async fn what_is_uploaded_again_is_young_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, source) = (
        open(&folder.path().join("store")).await,
        folder.path().join("source"),
    );
    write(&source, &[("a", "one")]);
    let scanned = scan(&source, &ScanOptions::data()).unwrap();
    store.upload(&scanned, &()).await.unwrap();
    let hex = scanned.files[0].digest.to_hex();
    let path = folder
        .path()
        .join("store/blobs")
        .join(hex.get(..2).unwrap())
        .join(&hex);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let old = before - std::time::Duration::from_hours(24);
    fs::File::open(&path).unwrap().set_modified(old).unwrap();
    store.upload(&scanned, &()).await.unwrap();
    assert!(fs::metadata(&path).unwrap().modified().unwrap() >= before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_up_and_comes_down_in_bounded_memory() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    fs::File::create(&path).unwrap().set_len(256 * MIB).unwrap();
    let (store, before) = (open(&folder.path().join("store")).await, peak_bytes());
    let scanned = scan(&path, &ScanOptions::data()).unwrap();
    let stored = store.upload(&scanned, &()).await.unwrap();
    let cache = Cache::open(&folder.path().join("cache"), 1 << 30).unwrap();
    for (name, access) in [("view", Access::ReadOnly), ("copy", Access::Copy)] {
        let to = folder.path().join(name);
        cache.materialize(&store, &stored, &to, access).await.unwrap();
        assert_eq!(fs::metadata(&to).unwrap().len(), 256 * MIB);
    }
    let grown = peak_bytes() - before;
    assert!(grown < 100 * MIB, "the process grew by {} MiB", grown / MIB);
}

/// The largest resident memory of this process so far.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
