//! Second names and parts of contents.

use super::contents::unique;
use crate::{ArtifactStore, Marks, StoreError, SweepOptions};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::sha256::Sha256;
use tidemill_protocol::time::{Millis, Timestamp};

/// A second name that no other test uses. The store takes a client's word for what it hashes to.
fn name() -> Sha256 {
    Sha256::from_bytes(*Digest::of(&unique(40)).as_bytes())
}

pub(super) async fn a_blob_is_found_by_its_second_name(store: &ArtifactStore) {
    let (one, two, nobodys) = (name(), name(), name());
    let blob = store.put_bytes(unique(100).into()).await.expect("stored");
    for _ in 0..2 {
        store
            .put_alias(&one, &blob)
            .await
            .expect("kept; again is harmless");
    }
    store.put_alias(&two, &blob).await.expect("kept");
    let found = store
        .find_aliases(&[nobodys, two, one, one])
        .await
        .expect("found");
    assert_eq!(found, [(one, blob), (two, blob)].into());
    let other = store.put_bytes(unique(100).into()).await.expect("stored");
    let error = store.put_alias(&one, &other).await.expect_err("contradicted");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

pub(super) async fn a_second_name_outlives_neither_its_blob_nor_its_month(store: &ArtifactStore) {
    let (name, kept) = (name(), name());
    let lost = store.put_bytes(unique(100).into()).await.expect("stored");
    let blob = store.put_bytes(unique(100).into()).await.expect("stored");
    store.put_alias(&name, &lost).await.expect("kept");
    store.put_alias(&kept, &blob).await.expect("kept");
    let marks = Marks {
        artifacts: [blob.digest].into(),
        ..Marks::default()
    };
    let sweep = |days: u64| SweepOptions {
        now: Timestamp(now().0 + days * 86_400_000),
        grace: Millis::from_secs(86_400),
        dry_run: false,
    };
    store.sweep(&marks, &sweep(2)).await.expect("swept");
    let found = store.find_aliases(&[name, kept]).await.expect("found");
    assert_eq!(
        found,
        [(kept, blob)].into(),
        "a name without a blob finds nothing"
    );
    store.sweep(&marks, &sweep(31)).await.expect("swept");
    assert_eq!(store.find_aliases(&[kept]).await.expect("found"), [].into());
    store
        .put_alias(&kept, &blob)
        .await
        .expect("it can be given again");
}

/// The present, as the store's files have it.
fn now() -> Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    Timestamp(u64::try_from(since.as_millis()).expect("before the year 500 million"))
}

pub(super) async fn a_part_of_a_blob_is_those_bytes_of_it(store: &ArtifactStore) {
    let bytes = unique((9 << 20) + 7);
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("file");
    std::fs::write(&path, &bytes).expect("file");
    let digest = store.put_file(&path).await.expect("stored").digest;
    let size = bytes.len() as u64;
    assert_eq!(store.blob_size(&digest).await.expect("there"), size);
    for range in [0..1, 5..5, 1_000_000..8_500_000, size - 1..size, 0..size] {
        let pieces = store.get_range(&digest, range.clone()).await.expect("read");
        let pieces: Vec<Bytes> = pieces.try_collect().await.expect("read");
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        let expected = &bytes[start.expect("small")..end.expect("small")];
        assert!(pieces.concat() == expected, "{range:?}");
    }
    let absent = Digest::of(&unique(50));
    let error = store.blob_size(&absent).await.expect_err("absent");
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
}
