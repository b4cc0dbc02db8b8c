//! The cache itself: at most so many bytes of verified contents, each fetched once however many ask at a time. A file appears under its name only
//! whole (written elsewhere, renamed); after a crash or a change from outside it is verified again before it is used.

use super::index::{Index, Verified};
use super::place::{Cloning, READ_ONLY};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::scan::{hash_open_file, open_regular};
use crate::stamp::Stamp;
use crate::store::{ArtifactStore, blocking};
use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidemill_protocol::digest::Digest;
use uuid::Uuid;

/// How often a content is fetched that arrives damaged.
const FETCHES_MAX: u32 = 2;

/// A cache of contents in a folder of this machine, for one process at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    index: Mutex<Index>,
    flights: Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>,
    cloning: Cloning,
}

/// A cached file that is not evicted while this lives.
#[derive(Debug)]
pub(super) struct Pinned {
    inner: Arc<Inner>,
    digest: Digest,
    path: PathBuf,
}

impl Pinned {
    /// Where the content lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.inner.index().unpin(&self.digest);
    }
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(layout::blob(digest).as_ref())
    }

    fn temporary(&self) -> PathBuf {
        self.folder
            .join(layout::TMP)
            .join(Uuid::now_v7().simple().to_string())
    }
}

impl Cache {
    /// Opens the cache in this folder, which it creates; at most `bytes_max` bytes of contents. Unfinished files of an earlier
    /// process are removed, and what exceeds the limit is evicted, oldest first. Blocks.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self> {
        let failed = |error| StoreError::file("open", folder, error);
        let unfinished = folder.join(layout::TMP);
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(failed)?;
        }
        crate::local::create_private_folder(&unfinished)?;
        let mut index = Index::new(bytes_max);
        for (_, digest, size_bytes) in list(&folder.join(layout::BLOBS)).map_err(failed)? {
            index.insert(digest, size_bytes, None, 0);
        }
        let inner = Inner {
            folder: folder.to_owned(),
            index: Mutex::new(index),
            flights: Mutex::default(),
            cloning: Cloning::untried(),
        };
        let surplus = inner.index().reserve(0).unwrap_or_default();
        remove_all(&inner, &surplus);
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Bytes that the cache holds.
    pub fn size_bytes(&self) -> u64 {
        self.inner.index().bytes()
    }

    pub(super) fn cloning(&self) -> &Cloning {
        &self.inner.cloning
    }

    /// The cached file of a content, fetched when it is not there; nothing when what is in use leaves no room for it.
    pub(super) async fn ensure(
        &self,
        store: &ArtifactStore,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<Option<Pinned>> {
        let flight = self.flight(digest);
        let landed = flight.lock().await;
        let result = self.ensure_alone(store, digest, size_bytes).await;
        drop(landed);
        drop(flight);
        self.flights().retain(|_, flight| Arc::strong_count(flight) > 1);
        result
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Digest, Arc<tokio::sync::Mutex<()>>>> {
        self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flight(&self, digest: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.flights().entry(*digest).or_default())
    }

    async fn ensure_alone(
        &self,
        store: &ArtifactStore,
        digest: &Digest,
        size_bytes: u64,
    ) -> Result<Option<Pinned>> {
        let pinned = || Pinned {
            inner: Arc::clone(&self.inner),
            digest: *digest,
            path: self.inner.path(digest),
        };
        let held = self.inner.index().pin(digest);
        if let Some(verified) = held {
            let pinned = pinned();
            if let Some(stamp) = self.still_good(&pinned, verified).await? {
                self.inner.index().verified(digest, stamp);
                return Ok(Some(pinned));
            }
            drop(pinned);
            self.inner.index().remove(digest);
        }
        let Some(victims) = self.inner.index().reserve(size_bytes) else {
            return Ok(None);
        };
        let fetched = self.fetch(store, digest, victims).await;
        let mut index = self.inner.index();
        index.release(size_bytes);
        let stamp = fetched?;
        index.insert(*digest, stamp.size_bytes, Some(stamp), 1);
        drop(index);
        Ok(Some(pinned()))
    }

    /// The stamp of a cached file that may be used: unchanged since it was verified, or verified now.
    async fn still_good(&self, pinned: &Pinned, verified: Verified) -> Result<Option<Stamp>> {
        let (path, digest) = (pinned.path.clone(), pinned.digest);
        blocking(move || {
            let failed = |error| StoreError::file("read", &path, error);
            let Ok(file) = open_regular(&path) else {
                return Ok(None);
            };
            let metadata = file.metadata().map_err(failed)?;
            if metadata.permissions().mode() & 0o777 != READ_ONLY {
                file.set_permissions(Permissions::from_mode(READ_ONLY)).map_err(failed)?;
            }
            let stamp = Stamp::of(&metadata);
            if matches!(verified, Verified::Under(before) if before.same_content(&stamp)) {
                return Ok(Some(stamp));
            }
            let (found, _) = hash_open_file(&file).map_err(failed)?;
            if found != digest {
                tracing::warn!(%digest, file = %path.display(), "a cached content was changed: fetching it again");
            }
            Ok((found == digest).then_some(stamp))
        })
        .await
    }

    async fn fetch(&self, store: &ArtifactStore, digest: &Digest, victims: Vec<Digest>) -> Result<Stamp> {
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            remove_all(&inner, &victims);
            Ok(())
        })
        .await?;
        let temporary = self.inner.temporary();
        for attempt in 1.. {
            match store.fetch_to(digest, &temporary, READ_ONLY).await {
                Ok(()) => break,
                Err(StoreError::Corrupt { .. }) if attempt < FETCHES_MAX => {
                    tracing::warn!(%digest, "a content arrived damaged: fetching it again");
                }
                Err(error) => return Err(error),
            }
        }
        let path = self.inner.path(digest);
        blocking(move || {
            let folder = path.parent().expect("a blob lies in a folder");
            crate::local::create_private_folder(folder)?;
            fs::rename(&temporary, &path).map_err(|error| StoreError::file("create", &path, error))?;
            let metadata =
                fs::symlink_metadata(&path).map_err(|error| StoreError::file("look at", &path, error))?;
            Ok(Stamp::of(&metadata))
        })
        .await
    }
}

fn remove_all(inner: &Inner, victims: &[Digest]) {
    for digest in victims {
        let path = inner.path(digest);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(file = %path.display(), %error, "cannot evict a cached content");
        }
    }
}

/// The contents in a cache's folder, oldest first. Names that are no digests are nobody's and stay.
fn list(blobs: &Path) -> std::io::Result<Vec<(std::time::SystemTime, Digest, u64)>> {
    let mut contents = Vec::new();
    if !blobs.exists() {
        return Ok(contents);
    }
    for shard in fs::read_dir(blobs)? {
        for entry in fs::read_dir(shard?.path())? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(digest) = digest {
                let metadata = entry.metadata()?;
                contents.push((metadata.modified()?, digest, metadata.len()));
            }
        }
    }
    contents.sort_unstable();
    Ok(contents)
}
