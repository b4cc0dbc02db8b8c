//! Single contents in, and the question what is there. A content goes to a key made of its own digest, so writing it twice
//! writes the same thing.

use crate::create::{Compare, create};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::local::LocalFolder;
use crate::scan::{ScanError, ScanOptions, scan};
use crate::store::{ArtifactStore, blocking, blocking_tasks};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectStoreExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;
use tokio_util::task::AbortOnDropHandle;

/// Most questions about objects in flight to a remote store.
const LOOKUPS_IN_FLIGHT_MAX: usize = 32;
/// Fewer files of a local store than this are not worth a second task.
const LOOKUPS_PER_TASK_MIN: usize = 512;

impl ArtifactStore {
    /// Stores bytes that are in memory. Durable when it returns. Meant for small things; files go through [`Self::put_file`].
    pub async fn put_bytes(&self, bytes: Bytes) -> Result<ArtifactRef> {
        let digest = Digest::of(&bytes);
        let reference = ArtifactRef {
            kind: ArtifactKind::Blob,
            digest,
            size_bytes: bytes.len() as u64,
            files: 1,
        };
        self.put_content(&layout::blob(&digest), bytes).await?;
        Ok(reference)
    }

    /// Stores a file. Durable when it returns. The bytes are hashed as they are stored, so a file that is written to
    /// meanwhile either is refused or becomes the artifact of the bytes that were read.
    pub async fn put_file(&self, path: &Path) -> Result<ArtifactRef> {
        let path = path.to_owned();
        if let Some(local) = self.local() {
            let put = |local: Arc<LocalFolder>, path: PathBuf| blocking(move || local.put_file(&path));
            let stored = put(Arc::clone(&local), path.clone()).await?;
            if self.pins().are_kept() {
                // Its name is known only now, and what was found under it may have been on its way out.
                let absent = self.absent(&[stored.digest], layout::blob).await?;
                if !absent.is_empty() {
                    return put(local, path).await;
                }
            }
            return Ok(stored);
        }
        let scanned = blocking(move || scan(&path, &ScanOptions::data()).map_err(StoreError::from)).await?;
        self.upload(&scanned, &()).await
    }

    /// Of these contents, those that are not in the store: blobs and trees, in the order given.
    pub async fn missing(&self, blobs: &[Digest], trees: &[Digest]) -> Result<(Vec<Digest>, Vec<Digest>)> {
        let blobs = self.absent(blobs, layout::blob).await?;
        let trees = self.absent(trees, layout::tree).await?;
        Ok((blobs, trees))
    }

    /// Of these contents, those without an object.
    pub(crate) async fn absent(
        &self,
        digests: &[Digest],
        key: fn(&Digest) -> ObjectPath,
    ) -> Result<Vec<Digest>> {
        self.pins().pin(digests.iter().copied()).await;
        if let Some(local) = self.local() {
            return absent_locally(&local, digests, key).await;
        }
        let looked_up = stream::iter(digests.iter().copied())
            .map(|digest| async move { Ok::<_, StoreError>((digest, self.size(&key(&digest)).await?)) })
            .buffered(LOOKUPS_IN_FLIGHT_MAX)
            .try_filter_map(|(digest, size)| async move { Ok(size.is_none().then_some(digest)) });
        looked_up.try_collect().await
    }

    /// The length of an object, or nothing when it is absent.
    pub(crate) async fn size(&self, key: &ObjectPath) -> Result<Option<u64>> {
        match self.objects().head(key).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::backend("look at", key, error)),
        }
    }

    /// Stores bytes under the key that their digest makes, unless they are there.
    pub(crate) async fn put_content(&self, key: &ObjectPath, bytes: Bytes) -> Result<()> {
        self.pins().pin(layout::digest_of(key)).await;
        if let Some(local) = self.local() {
            // On a local disk the question is free and the refused write is not.
            let (there, length) = (key.clone(), bytes.len() as u64);
            if blocking(move || local.size(&there)).await? == Some(length) {
                return Ok(());
            }
        }
        create(self.objects(), key, bytes, Compare::Length).await
    }
}

/// Looks at the files of a local store with several tasks, in the order given.
async fn absent_locally(
    local: &Arc<LocalFolder>,
    digests: &[Digest],
    key: fn(&Digest) -> ObjectPath,
) -> Result<Vec<Digest>> {
    let share = digests.len().div_ceil(blocking_tasks()).max(LOOKUPS_PER_TASK_MIN);
    let mut running: Vec<_> = digests
        .chunks(share)
        .map(|share| {
            let (local, share) = (Arc::clone(local), share.to_vec());
            AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
                let mut absent = Vec::new();
                for digest in share {
                    if local.size(&key(&digest))?.is_none() {
                        absent.push(digest);
                    }
                }
                Ok::<_, StoreError>(absent)
            }))
        })
        .collect();
    let mut absent = Vec::new();
    for task in &mut running {
        absent.append(&mut task.await??);
    }
    Ok(absent)
}

impl From<ScanError> for StoreError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::File { action, path, source } => Self::File { action, path, source },
            error => Self::Unfit(error),
        }
    }
}
