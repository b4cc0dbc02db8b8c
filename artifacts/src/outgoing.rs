//! Files that are written to a store that is not ours. An object appears whole or not at all, and one that is there is replaced; nothing is ever removed.

use crate::error::{Result, StoreError};
use crate::remote::{Brought, FILES_AT_ONCE, RemoteStore};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::buffered::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

/// Files of this length and above go in parts, each this long.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file in flight.
const PARTS_IN_FLIGHT_MAX: usize = 2;

impl RemoteStore {
    /// Writes files, each to its path below the store's root.
    ///
    /// # Errors
    /// The disk's, or the store's after its own retries. What was written until then stays there.
    pub async fn send(&self, files: Vec<(PathBuf, String)>) -> Result<Brought> {
        let sizes: Vec<u64> = stream::iter(files)
            .map(|(from, path)| async move { self.send_file(&from, &path).await })
            .buffer_unordered(FILES_AT_ONCE)
            .try_collect()
            .await?;
        Ok(Brought {
            files: sizes.len() as u64,
            size_bytes: sizes.iter().sum(),
        })
    }

    async fn send_file(&self, from: &Path, path: &str) -> Result<u64> {
        let key = self.key(path)?;
        let unread = |error| StoreError::file("read", from, error);
        let mut file = File::open(from).await.map_err(unread)?;
        let writer = BufWriter::with_capacity(Arc::clone(&self.objects), key.clone(), PART_BYTES);
        let mut writer = writer.with_max_concurrency(PARTS_IN_FLIGHT_MAX);
        let sent = async {
            let size = tokio::io::copy(&mut file, &mut writer).await?;
            writer.shutdown().await?;
            Ok::<_, std::io::Error>(size)
        };
        let error = match sent.await {
            Ok(size) => return Ok(size),
            Err(error) => error,
        };
        // Nothing of it is left behind, as far as the store still listens.
        if let Err(error) = writer.abort().await {
            tracing::debug!(%key, %error, "cannot remove the parts of a copy that failed");
        }
        match error.downcast::<object_store::Error>() {
            Ok(error) => Err(StoreError::backend("write", &key, error)),
            Err(error) => Err(unread(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::FetchLimits;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn a_long_file_arrives_whole_and_replaces_what_was_there() {
        let store = RemoteStore {
            objects: Arc::new(InMemory::new()),
            url: "s3://lake".into(),
            limits: FetchLimits::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        let (long, short) = (folder.path().join("long"), folder.path().join("short"));
        let bytes: Vec<u8> = (0_u32..5_000_000).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&long, &bytes).unwrap();
        std::fs::write(&short, "1").unwrap();
        let to = |path: &Path| vec![(path.to_owned(), "deep/file".to_owned())];
        store.send(to(&short)).await.unwrap();
        let sent = store.send(to(&long)).await.unwrap();
        assert_eq!((sent.files, sent.size_bytes), (1, 20_000_000));
        let key = store.key("deep/file").unwrap();
        let found = store.objects.get(&key).await.unwrap().bytes().await.unwrap();
        assert!(found == bytes, "the bytes are not those of the file");
        let missing = store.send(to(&folder.path().join("none"))).await.unwrap_err();
        assert!(matches!(missing, StoreError::File { .. }), "{missing}");
        let outside = store.send(vec![(short, "../x".into())]).await.unwrap_err();
        assert!(matches!(outside, StoreError::Address { .. }), "{outside}");
    }
}
