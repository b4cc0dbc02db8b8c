//! Private copies out of a local store: one verified pass, past the cache, whatever the length of the file.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tidemill_artifacts::{Access, ArtifactStore, Cache, ScanOptions, StoreConfig, StoreError, scan};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;

const MIB: usize = 1 << 20;

/// Shorter than, about and longer than the buffer through which files are copied.
const LENGTHS: [usize; 10] = [
    0,
    1,
    MIB - 1,
    MIB,
    MIB + 1,
    2 * MIB,
    4 * MIB - 1,
    4 * MIB,
    4 * MIB + 1,
    11 * MIB + 7,
];

struct Place {
    folder: TempDir,
    store: ArtifactStore,
    cache: Cache,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::local(&folder.path().join("store")).unwrap();
        Self {
            store: ArtifactStore::open(&config).await.unwrap(),
            cache: Cache::open(&folder.path().join("cache"), 1 << 30).unwrap(),
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The stored file of a content, made writable.
    fn stored_file(&self, digest: &Digest) -> PathBuf {
        let hex = digest.to_hex();
        let path = self.path("store/blobs").join(hex.get(..2).unwrap()).join(&hex);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    async fn copy(&self, stored: &ArtifactRef, to: &Path) -> Result<(), StoreError> {
        let laid = self
            .cache
            .materialize(&self.store, stored, to, Access::Copy)
            .await?;
        assert_eq!(laid.linked, 0, "a copy shares no file");
        Ok(())
    }

    async fn store(&self, bytes: &[u8]) -> ArtifactRef {
        self.store.put_bytes(bytes.to_vec().into()).await.unwrap()
    }
}

/// Bytes that differ at every length and place.
fn content(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut words = blake3::Hasher::new();
    words.update(&length.to_le_bytes());
    words.finalize_xof().fill(&mut bytes);
    bytes
}

#[tokio::test]
async fn files_of_all_lengths_come_out_as_they_went_in() {
    let place = Place::new().await;
    for length in LENGTHS {
        let bytes = content(length);
        let source = place.path(&format!("in{length}"));
        fs::write(&source, &bytes).unwrap();
        let put = place.store.put_file(&source).await.unwrap();
        assert_eq!((put.digest, put.size_bytes), (Digest::of(&bytes), length as u64));
        let to = place.path(&format!("out{length}"));
        place.copy(&put, &to).await.unwrap();
        assert!(fs::read(&to).unwrap() == bytes, "{length} bytes");
    }
}

#[tokio::test]
async fn copies_out_of_a_local_store_take_no_room_in_the_cache() {
    let place = Place::new().await;
    let source = place.path("source");
    fs::create_dir(&source).unwrap();
    for length in LENGTHS {
        fs::write(source.join(length.to_string()), content(length)).unwrap();
    }
    let scanned = scan(&source, &ScanOptions::data()).unwrap();
    let stored = place.store.upload(&scanned, &()).await.unwrap();
    place.copy(&stored, &place.path("out")).await.unwrap();
    assert_eq!(place.cache.size_bytes(), 0);
    assert!(
        !place.path("cache/blobs").exists(),
        "nothing went through the cache's folder"
    );
    place
        .cache
        .materialize(&place.store, &stored, &place.path("read"), Access::ReadOnly)
        .await
        .unwrap();
    let large: usize = LENGTHS.iter().filter(|length| **length > 64 << 10).sum();
    assert_eq!(
        place.cache.size_bytes(),
        large as u64,
        "what may be shared is cached"
    );
}

#[tokio::test]
async fn a_damaged_file_of_any_length_is_refused_and_nothing_of_it_is_left() {
    let place = Place::new().await;
    let flip: fn(&mut Vec<u8>) = |bytes| *bytes.last_mut().unwrap() ^= 1;
    let cut: fn(&mut Vec<u8>) = |bytes| bytes.truncate(bytes.len() - 1);
    let grow: fn(&mut Vec<u8>) = |bytes| bytes.push(0);
    for length in LENGTHS.into_iter().filter(|length| *length > 0) {
        let bytes = content(length);
        let stored = place.store(&bytes).await;
        let file = place.stored_file(&stored.digest);
        for damage in [flip, cut, grow] {
            let mut damaged = bytes.clone();
            damage(&mut damaged);
            fs::write(&file, &damaged).unwrap();
            let to = place.path("out");
            let error = place.copy(&stored, &to).await.unwrap_err();
            assert!(
                matches!(&error, StoreError::Corrupt { expected, .. } if *expected == stored.digest.to_string()),
                "{error}"
            );
            assert!(!to.exists(), "{length} bytes");
        }
    }
}

#[tokio::test]
async fn a_tree_with_one_damaged_file_does_not_come_out_whole() {
    let place = Place::new().await;
    let source = place.path("source");
    fs::create_dir(&source).unwrap();
    for number in 0..100 {
        fs::write(source.join(format!("{number:03}")), content(number + 1)).unwrap();
    }
    let scanned = scan(&source, &ScanOptions::data()).unwrap();
    let stored = place.store.upload(&scanned, &()).await.unwrap();
    let file = place.stored_file(&Digest::of(&content(51)));
    OpenOptions::new()
        .append(true)
        .open(file)
        .unwrap()
        .write_all(b"x")
        .unwrap();
    let error = place.copy(&stored, &place.path("out")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(!place.path("out/050").exists());
}

#[tokio::test]
async fn a_file_that_stands_in_the_way_stays() {
    let place = Place::new().await;
    for length in [1, 5 * MIB] {
        let stored = place.store(&content(length)).await;
        let to = place.path("taken");
        fs::write(&to, "mine").unwrap();
        let error = place.copy(&stored, &to).await.unwrap_err();
        assert!(matches!(error, StoreError::File { .. }), "{error}");
        assert_eq!(fs::read(&to).unwrap(), b"mine");
    }
}
