//! How artifacts become a step's files, and what a step can do to them.

use crate::tree::write;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use tempfile::TempDir;
use tidemill_artifacts::{Access, ArtifactStore, Cache, ScanOptions, StoreConfig, StoreError, scan};
use tidemill_protocol::artifact::ArtifactRef;

/// Longer than what is copied in any case.
const LARGE: usize = 100_000;

struct Place {
    folder: TempDir,
    store: ArtifactStore,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ArtifactStore::open(&StoreConfig::local(&folder.path().join("store")).unwrap())
            .await
            .unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn cache(&self, bytes_max: u64) -> Cache {
        Cache::open(&self.path("cache"), bytes_max).unwrap()
    }

    async fn large(&self, fill: u8) -> ArtifactRef {
        self.store.put_bytes(vec![fill; LARGE].into()).await.unwrap()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn read_only_inputs_are_read_only_and_copies_are_private() {
    let place = Place::new().await;
    let source = place.path("source");
    write(
        &source,
        &[("small", "x"), ("run.sh", "#!"), ("large", &"y".repeat(LARGE))],
    );
    fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let stored = place
        .store
        .upload(&scan(&source, &ScanOptions::data()).unwrap(), &())
        .await
        .unwrap();
    let cache = place.cache(1 << 30);
    let (read, copy) = (place.path("read"), place.path("copy"));
    let laid = cache
        .materialize(&place.store, &stored, &read, Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(
        (laid.files, laid.linked + laid.cloned),
        (3, 1),
        "only the large file shares bytes"
    );
    assert_eq!(
        ["small", "large", "run.sh"].map(|name| mode(&read.join(name))),
        [0o444, 0o444, 0o555]
    );
    cache
        .materialize(&place.store, &stored, &copy, Access::Copy)
        .await
        .unwrap();
    for name in ["small", "large", "run.sh"] {
        assert_ne!(mode(&copy.join(name)) & 0o200, 0, "{name} is writable");
        assert_eq!(
            fs::metadata(copy.join(name)).unwrap().nlink(),
            1,
            "{name} is private"
        );
        assert_eq!(
            fs::read(copy.join(name)).unwrap(),
            fs::read(source.join(name)).unwrap()
        );
    }
}

#[tokio::test]
async fn a_step_that_writes_to_a_shared_input_is_found_out_and_harms_nobody_after() {
    let place = Place::new().await;
    let (stored, cache) = (place.large(1).await, place.cache(1 << 30));
    let (first, second) = (place.path("first"), place.path("second"));
    let laid = cache
        .materialize(&place.store, &stored, &first, Access::ReadOnly)
        .await
        .unwrap();
    laid.verify_unchanged().unwrap();
    // As root, or after a chmod, read-only is no wall.
    fs::set_permissions(&first, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&first, vec![9; LARGE]).unwrap();
    if laid.linked > 0 {
        let error = laid.verify_unchanged().unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    cache
        .materialize(&place.store, &stored, &second, Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(fs::read(&second).unwrap(), vec![1; LARGE]);
    assert_eq!(mode(&second), 0o444);
    assert_eq!(
        place.store.get_bytes(&stored.digest, LARGE).await.unwrap(),
        vec![1; LARGE]
    );
}

#[tokio::test]
async fn replacing_or_removing_an_input_is_no_harm() {
    let place = Place::new().await;
    let (stored, cache) = (place.large(1).await, place.cache(1 << 30));
    let to = place.path("input");
    let laid = cache
        .materialize(&place.store, &stored, &to, Access::ReadOnly)
        .await
        .unwrap();
    fs::remove_file(&to).unwrap();
    laid.verify_unchanged().unwrap();
    fs::write(&to, "another file").unwrap();
    laid.verify_unchanged().unwrap();
}

#[tokio::test]
async fn the_cache_keeps_to_its_limit() {
    let place = Place::new().await;
    let cache = place.cache(2 * LARGE as u64 + 1);
    for fill in 0..5 {
        let stored = place.large(fill).await;
        let to = place.path(&format!("out{fill}"));
        cache
            .materialize(&place.store, &stored, &to, Access::ReadOnly)
            .await
            .unwrap();
        assert_eq!(fs::read(to).unwrap(), vec![fill; LARGE]);
        assert!(cache.size_bytes() <= 2 * LARGE as u64);
    }
    drop(cache);
    assert_eq!(
        place.cache(LARGE as u64).size_bytes(),
        LARGE as u64,
        "a smaller limit counts at once"
    );
    let tiny = Cache::open(&place.path("tiny"), 1).unwrap();
    let stored = place.large(1).await;
    tiny.materialize(&place.store, &stored, &place.path("past"), Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(
        (fs::read(place.path("past")).unwrap().len(), tiny.size_bytes()),
        (LARGE, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_many_want_is_fetched_once() {
    let place = Place::new().await;
    let (stored, cache) = (place.large(1).await, place.cache(1 << 30));
    let laid = (0..16).map(|number| {
        let to = place.path(&format!("out{number}"));
        let (cache, store) = (&cache, &place.store);
        async move { cache.materialize(store, &stored, &to, Access::ReadOnly).await }
    });
    futures_util::future::try_join_all(laid).await.unwrap();
    assert_eq!(cache.size_bytes(), LARGE as u64);
}

#[tokio::test]
async fn a_cache_left_by_a_crash_is_verified_before_use() {
    let place = Place::new().await;
    let stored = place.large(1).await;
    let cache = place.cache(1 << 30);
    cache
        .materialize(&place.store, &stored, &place.path("one"), Access::ReadOnly)
        .await
        .unwrap();
    drop(cache);
    let hex = stored.digest.to_hex();
    let cached = place
        .path("cache")
        .join("blobs")
        .join(hex.get(..2).unwrap())
        .join(&hex);
    fs::remove_file(&cached).unwrap();
    fs::write(&cached, vec![0; LARGE]).unwrap();
    write(&place.path("cache"), &[("tmp/unfinished", "half")]);
    let cache = place.cache(1 << 30);
    assert!(!place.path("cache/tmp/unfinished").exists());
    cache
        .materialize(&place.store, &stored, &place.path("two"), Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(fs::read(place.path("two")).unwrap(), vec![1; LARGE]);
}

#[tokio::test]
async fn a_lost_file_of_a_tree_is_named() {
    let place = Place::new().await;
    let source = place.path("source");
    write(&source, &[("kept", "x"), ("lost", "y")]);
    let scanned = scan(&source, &ScanOptions::data()).unwrap();
    let stored = place.store.upload(&scanned, &()).await.unwrap();
    let hex = scanned.files[1].digest.to_hex();
    fs::remove_file(place.path("store/blobs").join(hex.get(..2).unwrap()).join(&hex)).unwrap();
    let error = place
        .cache(1 << 30)
        .materialize(&place.store, &stored, &place.path("out"), Access::Copy)
        .await
        .unwrap_err();
    assert!(
        error.is_data_loss() && error.to_string().contains("lost"),
        "{error}"
    );
    place.store.upload(&scanned, &()).await.unwrap();
    assert!(
        place.store.quarantine(&stored).await.unwrap().is_sound,
        "uploading again heals"
    );
}
