//! Finds what nothing names any more and deletes it: first trees, then files that no remaining tree names, then what attempts of forgotten
//! runs left, then unfinished files of a local store, or uploads in parts that nobody ended where they can be listed. What is young stays, because an upload under way is not named yet.
//!
//! Contents that an upload finds in a local store are made young again, and what this very process stores or is asked for is spared (`pins`). Of uploads of
//! other processes to a remote store neither is true: a content that was garbage for longer than the grace, and is produced again by a worker in the moment
//! between the sweep's last look and its deletion, is lost. Its readers fail with an error that says so ([`crate::StoreError::is_data_loss`]), and
//! producing it again stores it.

use crate::abandoned::Bucket;
use crate::error::{Result, StoreError};
use crate::layout;
use crate::store::{ArtifactStore, blocking};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as ObjectPath;
use object_store::{Error, ObjectMeta, ObjectStoreExt as _};
use std::collections::HashSet;
use std::error::Error as _;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::RunId;
use tidemill_protocol::time::{Millis, Timestamp};

/// How long a content's second name stays, whether or not it is used: one that is missed costs an upload.
const ALIASES_KEPT: Millis = Millis(30 * 24 * 3_600_000);
/// Most deletions in flight.
const DELETIONS_IN_FLIGHT_MAX: usize = 16;

/// What must stay.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Artifacts that something names: outputs, inputs, code, models, pins. The files of a marked tree need no mark.
    pub artifacts: HashSet<Digest>,
    /// Runs whose attempts' records stay.
    pub runs: HashSet<RunId>,
}

/// How a sweep goes about it.
#[derive(Debug, Clone, Copy)]
pub struct SweepOptions {
    /// The present.
    pub now: Timestamp,
    /// What is younger than this stays. Longer than the longest upload may take.
    pub grace: Millis,
    /// Whether to count only.
    pub dry_run: bool,
}

/// What a sweep found, or deleted unless it was a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Objects that are named.
    pub kept: u64,
    /// Objects that nothing names and that are too young.
    pub young: u64,
    /// Objects deleted.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
}

enum Verdict {
    Named,
    Young,
    Garbage,
}

impl SweepOptions {
    fn is_young(&self, meta: &ObjectMeta) -> bool {
        self.is_young_since(meta.last_modified.timestamp_millis())
    }

    fn is_young_since(&self, millis: i64) -> bool {
        let since = Timestamp(u64::try_from(millis).unwrap_or(0));
        self.now.since(since) < self.grace
    }
}

impl ArtifactStore {
    /// Deletes what nothing names.
    ///
    /// # Errors
    /// The store's own; [`StoreError::Busy`] when more was stored lately than can be remembered; also [`StoreError::Corrupt`] when a tree that stays cannot be read, before any file is deleted, because
    /// then nobody knows which files it names.
    pub async fn sweep(&self, marks: &Marks, options: &SweepOptions) -> Result<Swept> {
        let mut swept = Swept::default();
        if self.pins().held().await.is_short() {
            return Err(StoreError::Busy);
        }
        let named = self.sweep_trees(marks, options, &mut swept).await?;
        let blobs = self.objects().list(Some(&ObjectPath::from(layout::BLOBS)));
        let judge = |meta: &ObjectMeta| match layout::digest_of(&meta.location) {
            Some(digest) if !named.contains(&digest) => old_or_young(meta, options),
            _ => Verdict::Named,
        };
        self.sweep_list(blobs, judge, options, &mut swept).await?;
        let attempts = self.objects().list(Some(&ObjectPath::from(layout::ATTEMPTS)));
        let judge = |meta: &ObjectMeta| match layout::run_of(&meta.location) {
            Some(run) if !marks.runs.contains(&run) => old_or_young(meta, options),
            _ => Verdict::Named,
        };
        self.sweep_list(attempts, judge, options, &mut swept).await?;
        let aliases = self.objects().list(Some(&ObjectPath::from(layout::ALIASES)));
        let kept = SweepOptions {
            grace: options.grace.max(ALIASES_KEPT),
            ..*options
        };
        self.sweep_list(aliases, |meta| old_or_young(meta, &kept), options, &mut swept)
            .await?;
        // Whoever opened the store was killed before it took its probe away.
        let probes = self.objects().list(Some(&ObjectPath::from(layout::PROBES)));
        self.sweep_list(probes, |meta| old_or_young(meta, options), options, &mut swept)
            .await?;
        if let Some(local) = self.local() {
            let options = *options;
            let (files, bytes) =
                blocking(move || local.sweep_unfinished(options.now, options.grace, options.dry_run)).await?;
            swept.deleted += files;
            swept.deleted_bytes += bytes;
        }
        if let Some(bucket) = self.bucket() {
            sweep_uploads(bucket, options, &mut swept).await?;
        }
        Ok(swept)
    }

    /// Deletes trees that nothing names and returns every content that is named, by a mark or by a tree that stays.
    async fn sweep_trees(
        &self,
        marks: &Marks,
        options: &SweepOptions,
        swept: &mut Swept,
    ) -> Result<HashSet<Digest>> {
        let mut named = marks.artifacts.clone();
        let mut garbage = Vec::new();
        let mut trees = self.objects().list(Some(&ObjectPath::from(layout::TREES)));
        while let Some(meta) = trees.next().await {
            let meta = meta.map_err(|error| StoreError::backend("list", &layout::TREES.into(), error))?;
            let Some(digest) = layout::digest_of(&meta.location) else {
                continue;
            };
            if !marks.artifacts.contains(&digest) && !options.is_young(&meta) {
                garbage.push(meta);
                continue;
            }
            let tree = self.get_tree(&digest).await?;
            named.extend(tree.entries.iter().map(|entry| entry.digest));
            if marks.artifacts.contains(&digest) {
                swept.kept += 1;
            } else {
                swept.young += 1;
            }
        }
        for meta in garbage {
            if self.remove(&meta, options).await? {
                swept.deleted += 1;
                swept.deleted_bytes += meta.size;
                continue;
            }
            // Somebody is about to name it, and all that is in it.
            swept.young += 1;
            if let Some(digest) = layout::digest_of(&meta.location) {
                let tree = self.get_tree(&digest).await?;
                named.extend(tree.entries.iter().map(|entry| entry.digest));
            }
        }
        Ok(named)
    }

    async fn sweep_list(
        &self,
        objects: futures_util::stream::BoxStream<'_, Result<ObjectMeta, Error>>,
        judge: impl Fn(&ObjectMeta) -> Verdict,
        options: &SweepOptions,
        swept: &mut Swept,
    ) -> Result<()> {
        let judged = objects.map(|meta| {
            let meta = meta.map_err(|error| StoreError::backend("list", &ObjectPath::default(), error))?;
            let verdict = judge(&meta);
            Ok::<_, StoreError>((meta, verdict))
        });
        let mut done = judged
            .map_ok(|(meta, verdict)| async move {
                if matches!(verdict, Verdict::Garbage) && !self.remove(&meta, options).await? {
                    return Ok((meta, Verdict::Young));
                }
                Ok((meta, verdict))
            })
            .try_buffer_unordered(DELETIONS_IN_FLIGHT_MAX);
        while let Some((meta, verdict)) = done.try_next().await? {
            match verdict {
                Verdict::Named => swept.kept += 1,
                Verdict::Young => swept.young += 1,
                Verdict::Garbage => {
                    swept.deleted += 1;
                    swept.deleted_bytes += meta.size;
                }
            }
        }
        Ok(())
    }

    /// Deletes an object that nothing names, or would in earnest; false when it is spared after all: it was pinned, or made young again since it was listed.
    async fn remove(&self, meta: &ObjectMeta, options: &SweepOptions) -> Result<bool> {
        let key = &meta.location;
        // Held over the deletion: whoever pins waits for it, and looks afterwards.
        let pinned = self.pins().held().await;
        if layout::digest_of(key).is_some_and(|digest| pinned.has(&digest)) {
            return Ok(false);
        }
        if options.dry_run {
            return Ok(true);
        }
        match self.objects().head(key).await {
            Ok(now) if options.is_young(&now) => return Ok(false),
            Ok(_) => {}
            Err(Error::NotFound { .. }) => return Ok(true),
            Err(error) => return Err(StoreError::backend("look at", key, error)),
        }
        match self.objects().delete(key).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(StoreError::backend("delete", key, error)),
        }
    }
}

/// Ends the uploads that nobody ended. How many bytes their parts have is not known.
async fn sweep_uploads(bucket: &Bucket, options: &SweepOptions, swept: &mut Swept) -> Result<()> {
    let uploads = match bucket.uploads(layout::BLOBS).await {
        Ok(uploads) => uploads,
        Err(error) => {
            // A rule of the bucket may be what removes them, and nothing else depends on it.
            tracing::warn!(%error, cause = error.source().map(tracing::field::display), "uploads that were never ended cannot be listed");
            return Ok(());
        }
    };
    for upload in uploads {
        if options.is_young_since(upload.initiated.as_millisecond()) {
            swept.young += 1;
            continue;
        }
        if !options.dry_run {
            bucket.abort(&upload).await?;
        }
        swept.deleted += 1;
    }
    Ok(())
}

fn old_or_young(meta: &ObjectMeta, options: &SweepOptions) -> Verdict {
    if options.is_young(meta) {
        Verdict::Young
    } else {
        Verdict::Garbage
    }
}
