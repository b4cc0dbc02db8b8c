//! Sends a scanned file or folder: only what the store lacks, many files at a time, in bounded memory. Files first, the tree last,
//! so a tree in a store always has its files.
//!
//! The bytes are hashed again on their way, and a content gets its name only when they are what the scan said: a file that
//! changed in between fails the upload instead of becoming an artifact with a wrong name.

use crate::error::Result;
use crate::layout;
use crate::local::{Arrived, LocalFolder};
use crate::progress::Progress;
use crate::scan::{Scan, ScannedFile};
use crate::store::{ArtifactStore, blocking};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;

/// Most files in flight to a remote store. Their bytes are bounded apart, by the store's memory.
const FILES_IN_FLIGHT_MAX: usize = 16;
/// Most files that share the flushes of the local disk.
const BATCH_FILES_MAX: usize = 32_768;
/// Bytes from which on a batch is closed.
const BATCH_BYTES: u64 = 4 << 30;
/// How often whoever watches hears of a batch that is under way.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What becomes of the files that are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// They stay.
    Kept,
    /// The caller gives them up.
    GivenUp,
}

impl ArtifactStore {
    /// Stores a scanned file or folder. Durable when it returns; equal to `scan.reference`.
    ///
    /// # Errors
    /// [`StoreError::Changed`](crate::StoreError::Changed) when a file is no longer what was scanned; nothing is stored under a wrong name then.
    pub async fn upload(&self, scan: &Scan, progress: &dyn Progress) -> Result<ArtifactRef> {
        self.send(scan, Source::Kept, progress).await
    }

    /// Does what [`Self::upload`] does for files that the caller gives up: a local store on the same file system moves them in
    /// instead of copying (when they have no other name and belong to this process's user), so they may be gone afterwards.
    pub async fn upload_moving(&self, scan: Scan, progress: &dyn Progress) -> Result<ArtifactRef> {
        self.send(&scan, Source::GivenUp, progress).await
    }

    async fn send(&self, scan: &Scan, source: Source, progress: &dyn Progress) -> Result<ArtifactRef> {
        // A tree is written after its files and deleted before them, so in a remote store one look stands for all of them. On a local disk a look costs little, and
        // whoever uploads again what was lost there heals it.
        if self.local().is_none() && scan.tree.is_some() && self.has_tree(scan.reference.digest).await? {
            progress.planned(0, 0);
            return Ok(scan.reference);
        }
        let lacking = self.lacking(&scan.files).await?;
        progress.planned(
            lacking.len() as u64,
            lacking.iter().map(|file| file.size_bytes).sum(),
        );
        match self.local() {
            Some(local) => store_batches(&local, lacking, source, progress).await?,
            None => self.send_files(lacking, progress).await?,
        }
        if let Some(tree) = &scan.tree {
            self.write_tree(tree).await?;
        }
        Ok(scan.reference)
    }

    async fn has_tree(&self, digest: Digest) -> Result<bool> {
        Ok(self.absent(&[digest], layout::tree).await?.is_empty())
    }

    async fn lacking(&self, files: &[ScannedFile]) -> Result<Vec<ScannedFile>> {
        let digests: Vec<Digest> = files.iter().map(|file| file.digest).collect();
        let absent: HashSet<Digest> = self.absent(&digests, layout::blob).await?.into_iter().collect();
        Ok(files
            .iter()
            .filter(|file| absent.contains(&file.digest))
            .cloned()
            .collect())
    }

    async fn send_files(&self, files: Vec<ScannedFile>, progress: &dyn Progress) -> Result<()> {
        // Files by value: a closure that borrows them would keep this future from being sent between threads.
        stream::iter(files)
            .map(|file| async move { self.send_file(&file, progress).await })
            .buffer_unordered(FILES_IN_FLIGHT_MAX)
            .try_collect()
            .await
    }
}

/// Stores files in batches that share flushes, and tells who watches how each gets on.
async fn store_batches(
    local: &Arc<LocalFolder>,
    files: Vec<ScannedFile>,
    source: Source,
    progress: &dyn Progress,
) -> Result<()> {
    for batch in batches(files) {
        let arrived = Arc::new(Arrived::default());
        let (local, counted) = (Arc::clone(local), Arc::clone(&arrived));
        let storing = blocking(move || local.put_batch(&batch, source == Source::GivenUp, &counted));
        tokio::pin!(storing);
        let tell = || {
            let taken = [&arrived.files, &arrived.bytes].map(|count| count.swap(0, Ordering::Relaxed));
            progress.moved(taken[0], taken[1]);
        };
        loop {
            let stored = tokio::time::timeout(TELL_EVERY, &mut storing).await;
            tell();
            if let Ok(stored) = stored {
                stored?;
                break;
            }
        }
    }
    Ok(())
}

/// Cuts the files into batches bounded in number and bytes.
fn batches(files: Vec<ScannedFile>) -> Vec<Vec<ScannedFile>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for file in files {
        bytes += file.size_bytes;
        batch.push(file);
        if batch.len() >= BATCH_FILES_MAX || bytes >= BATCH_BYTES {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
    }
    batches.push(batch);
    batches.retain(|batch| !batch.is_empty());
    batches
}
