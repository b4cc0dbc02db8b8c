//! Contents go in and come out unchanged, whatever their size and however many write them.

use crate::{Access, ArtifactStore, Cache, Progress, ScanOptions, StoreError, collect, scan};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::digest::Digest;
use uuid::Uuid;

/// Bytes that no other test stores, of this length (at least 36).
pub(super) fn unique(length: usize) -> Vec<u8> {
    let seed = Uuid::now_v7().to_string();
    let mut bytes = vec![0; length];
    blake3::Hasher::new()
        .update(seed.as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// Writes a file and its parents.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folder");
    fs::write(path, bytes).expect("file");
}

pub(super) async fn a_content_survives_the_round_trip(store: &ArtifactStore) {
    for bytes in [unique(1), unique(100_000), Vec::new()] {
        let stored = store.put_bytes(bytes.clone().into()).await.expect("stored");
        assert_eq!(stored.digest, Digest::of(&bytes));
        let read = store.get_bytes(&stored.digest, bytes.len()).await.expect("read");
        assert_eq!(read, bytes);
    }
}

pub(super) async fn many_writers_of_one_content_all_succeed(store: &ArtifactStore) {
    let bytes = Bytes::from(unique(10_000));
    let writers = join_all((0..16).map(|_| store.put_bytes(bytes.clone()))).await;
    let digest = Digest::of(&bytes);
    assert!(
        writers
            .into_iter()
            .all(|stored| stored.expect("stored").digest == digest)
    );
    assert_eq!(store.get_bytes(&digest, bytes.len()).await.expect("read"), bytes);
}

pub(super) async fn a_large_file_travels_in_parts(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("large");
    let bytes = unique((20 << 20) + 3);
    write(&path, &bytes);
    let stored = store.put_file(&path).await.expect("stored");
    assert_eq!(
        (stored.digest, stored.size_bytes),
        (Digest::of(&bytes), bytes.len() as u64)
    );
    let (size, pieces) = store.get_stream(&stored.digest).await.expect("read");
    let pieces: Vec<Bytes> = pieces.try_collect().await.expect("verified");
    assert_eq!(size, bytes.len() as u64);
    assert!(
        pieces.concat() == bytes,
        "the stream's bytes are those of the file"
    );
    let cache = Cache::open(&folder.path().join("cache"), 1 << 30).expect("cache");
    let to = folder.path().join("out");
    cache
        .materialize(store, &stored, &to, Access::ReadOnly)
        .await
        .expect("laid out");
    assert!(
        fs::read(&to).expect("file") == bytes,
        "the file's bytes are those of the file"
    );
}

pub(super) async fn a_folder_survives_the_round_trip(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    let source = folder.path().join("source");
    for name in [
        "a.csv",
        "größe/日本語 (1).parquet",
        "deep/er/still/.hidden",
        "-rf",
    ] {
        write(&source.join(name), &unique(2000));
    }
    write(&source.join("equal"), b"same");
    write(&source.join("deep/equal"), b"same");
    write(&source.join("run.sh"), b"#!/bin/sh\n");
    write(&source.join("nothing in it"), b"");
    fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("mode");
    fs::create_dir_all(source.join("empty/inside")).expect("folder");

    let scanned = scan(&source, &ScanOptions::data()).expect("scanned");
    let stored = store.upload(&scanned, &()).await.expect("stored");
    let cache = Cache::open(&folder.path().join("cache"), 1 << 30).expect("cache");
    for (name, access) in [("read", Access::ReadOnly), ("write", Access::Copy)] {
        let to = folder.path().join(name);
        let laid = cache
            .materialize(store, &stored, &to, access)
            .await
            .expect("laid out");
        assert_eq!((laid.files, laid.bytes), (stored.files, stored.size_bytes));
        assert_eq!(
            collect(&to, ArtifactKind::Tree).expect("collected").tree,
            scanned.tree
        );
    }
}

#[derive(Default)]
struct Counted {
    planned: AtomicU64,
    moved: AtomicU64,
}

impl Progress for Counted {
    fn planned(&self, files: u64, _bytes: u64) {
        self.planned.fetch_add(files, Ordering::Relaxed);
    }

    fn moved(&self, files: u64, _bytes: u64) {
        self.moved.fetch_add(files, Ordering::Relaxed);
    }
}

pub(super) async fn a_second_equal_upload_sends_nothing(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    for number in 0..50 {
        write(&folder.path().join(format!("{number}")), &unique(500));
    }
    let scanned = scan(folder.path(), &ScanOptions::data()).expect("scanned");
    let (first, second) = (Counted::default(), Counted::default());
    store.upload(&scanned, &first).await.expect("stored");
    store.upload(&scanned, &second).await.expect("stored");
    assert_eq!((first.planned.into_inner(), first.moved.into_inner()), (50, 50));
    assert_eq!((second.planned.into_inner(), second.moved.into_inner()), (0, 0));

    // One changed file is all that is sent of a changed folder.
    write(&folder.path().join("7"), &unique(500));
    let scanned = scan(folder.path(), &ScanOptions::data()).expect("scanned");
    let third = Counted::default();
    store.upload(&scanned, &third).await.expect("stored");
    assert_eq!((third.planned.into_inner(), third.moved.into_inner()), (1, 1));
}

pub(super) async fn missing_names_exactly_what_is_absent(store: &ArtifactStore) {
    let here = store.put_bytes(unique(100).into()).await.expect("stored").digest;
    let absent = Digest::of(&unique(100));
    let (blobs, trees) = store.missing(&[here, absent], &[here]).await.expect("answered");
    assert_eq!((blobs, trees), (vec![absent], vec![here]));
    let error = store.get_bytes(&absent, 1000).await.expect_err("absent");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert!(error.is_data_loss() && !error.is_retryable());
}

pub(super) async fn a_content_above_the_limit_is_not_read(store: &ArtifactStore) {
    let stored = store.put_bytes(unique(1001).into()).await.expect("stored");
    let error = store
        .get_bytes(&stored.digest, 1000)
        .await
        .expect_err("too large");
    assert!(
        matches!(
            error,
            StoreError::TooLarge {
                size_bytes: 1001,
                limit_bytes: 1000,
                ..
            }
        ),
        "{error}"
    );
}
