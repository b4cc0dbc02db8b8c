//! Uploads in parts that a killed process left in a bucket, which no contract of stores speaks of. Tried with SeaweedFS alone: moto says of every upload that
//! it was begun in 2010.

use crate::emulator::Emulator;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use std::time::UNIX_EPOCH;
use tidemill_artifacts::{ArtifactStore, Marks, StoreConfig, SweepOptions, Swept};
use tidemill_protocol::time::{Millis, Timestamp};

const HOUR: u64 = 3_600_000;

/// Where a worker would have sent a content to.
const OURS: &str = "some/prefix/blobs/00/0011";
/// Somebody else's object in the same bucket.
const STRANGERS: &str = "some/prefixes/blobs/00/0011";

/// Begins an upload and is gone.
async fn abandon(bucket: &AmazonS3, key: &str) {
    let key = Path::from(key);
    let id = bucket.create_multipart(&key).await.unwrap();
    let part = vec![7; 5 << 20];
    bucket.put_part(&key, &id, 0, part.into()).await.unwrap();
}

fn bucket(config: &StoreConfig) -> AmazonS3 {
    let mut builder = AmazonS3Builder::new().with_url(&config.url);
    for (name, value) in &config.options {
        builder = builder.with_config(name.parse().unwrap(), value);
    }
    builder.build().unwrap()
}

async fn sweep(store: &ArtifactStore, hours_later: u64, dry_run: bool) -> Swept {
    let options = SweepOptions {
        now: Timestamp(now() + hours_later * HOUR),
        grace: Millis(HOUR),
        dry_run,
    };
    store.sweep(&Marks::default(), &options).await.unwrap()
}

/// By the clock of a file system: tests have no other.
fn now() -> u64 {
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = file.as_file().metadata().unwrap().modified().unwrap();
    let passed = written.duration_since(UNIX_EPOCH).unwrap();
    passed.as_millis().try_into().unwrap()
}

async fn only_old_uploads_of_ours_are_ended(config: &StoreConfig) {
    let store = ArtifactStore::open(config).await.unwrap();
    let bucket = bucket(config);
    abandon(&bucket, OURS).await;
    abandon(&bucket, STRANGERS).await;
    let young = sweep(&store, 0, false).await;
    assert_eq!((young.young, young.deleted), (1, 0), "it may be under way");
    let counted = sweep(&store, 2, true).await;
    assert_eq!((counted.young, counted.deleted), (0, 1));
    let swept = sweep(&store, 2, false).await;
    assert_eq!((swept.young, swept.deleted), (0, 1));
    let again = sweep(&store, 2, false).await;
    assert_eq!((again.young, again.deleted), (0, 0), "it is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs_is_swept_of_uploads_that_nobody_ended() {
    let (_seaweedfs, config) = Emulator::seaweedfs();
    only_old_uploads_of_ours_are_ended(&config).await;
}
