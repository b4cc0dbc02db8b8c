//! Bytes that changed on the way or in the store are refused, and never stand in the way of the right ones for good.

use super::contents::{unique, write};
use crate::{Access, ArtifactStore, Cache, ScanOptions, StoreError, layout, scan};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use tidemill_protocol::digest::Digest;

pub(super) async fn a_file_that_changed_since_its_scan_is_refused(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    for length in [1000, (9 << 20) + 1] {
        let path = folder.path().join(format!("file{length}"));
        write(&path, &unique(length));
        let scanned = scan(&path, &ScanOptions::data()).expect("scanned");
        for bytes in [unique(length), unique(length + 1), unique(length / 2)] {
            write(&path, &bytes);
            let error = store.upload(&scanned, &()).await.expect_err("refused");
            assert!(matches!(error, StoreError::Changed { .. }), "{error}");
            let names = [scanned.reference.digest, Digest::of(&bytes)];
            assert_eq!(
                store.missing(&names, &[]).await.expect("answered").0,
                names,
                "nothing was stored"
            );
        }
    }
}

pub(super) async fn damaged_bytes_are_never_handed_out(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    for length in [1000, (9 << 20) + 1] {
        let stored = store.put_bytes(unique(length).into()).await.expect("stored");
        overwrite(store, &stored.digest, &unique(length)).await;
        let error = store
            .get_bytes(&stored.digest, length)
            .await
            .expect_err("corrupt");
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        let (_, pieces) = store.get_stream(&stored.digest).await.expect("opened");
        let read: Result<Vec<Bytes>, _> = pieces.try_collect().await;
        assert!(matches!(read, Err(StoreError::Corrupt { .. })));
        let cache = Cache::open(&folder.path().join("cache"), 1 << 30).expect("cache");
        let to = folder.path().join(format!("out{length}"));
        for access in [Access::ReadOnly, Access::Copy] {
            let error = cache
                .materialize(store, &stored, &to, access)
                .await
                .expect_err("corrupt");
            assert!(
                matches!(error, StoreError::Corrupt { .. }) && error.is_data_loss(),
                "{error}"
            );
            assert!(!to.exists(), "no damaged file is left behind");
        }
        assert_eq!(cache.size_bytes(), 0);
    }
}

pub(super) async fn a_quarantined_artifact_can_be_stored_again(store: &ArtifactStore) {
    let folder = tempfile::tempdir().expect("folder");
    for name in ["sound", "damaged"] {
        write(&folder.path().join(name), &unique(1000));
    }
    let scanned = scan(folder.path(), &ScanOptions::data()).expect("scanned");
    let stored = store.upload(&scanned, &()).await.expect("stored");
    assert!(
        store.quarantine(&stored).await.expect("looked").is_sound,
        "a sound artifact stays"
    );

    let damaged = scanned.files[0].digest;
    overwrite(store, &damaged, b"damage").await;
    let found = store.quarantine(&stored).await.expect("looked");
    assert!(!found.is_sound);
    assert_eq!(
        found.moved,
        [
            layout::blob(&damaged).to_string(),
            layout::tree(&stored.digest).to_string()
        ]
    );
    store.upload(&scanned, &()).await.expect("stored again");
    assert!(store.quarantine(&stored).await.expect("looked").is_sound);
    store
        .objects()
        .delete(&layout::blob(&damaged))
        .await
        .expect("deleted");
    let found = store.quarantine(&stored).await.expect("looked");
    assert_eq!(
        found.moved,
        [layout::tree(&stored.digest).to_string()],
        "one that is gone"
    );
    let found = store.quarantine(&stored).await.expect("looked");
    assert!(
        !found.is_sound && found.moved.is_empty(),
        "there is nothing left to move"
    );
    store.upload(&scanned, &()).await.expect("stored again");
    assert!(store.quarantine(&stored).await.expect("looked").is_sound);
}

async fn overwrite(store: &ArtifactStore, digest: &Digest, bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes).into();
    store
        .objects()
        .put(&layout::blob(digest), payload)
        .await
        .expect("damaged");
}
