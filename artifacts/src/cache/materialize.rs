//! Lays an artifact out in a folder: every file verified, files created in name order, several at a time. Which files share bytes with
//! the cache is explained at [`crate::cache`].

use super::fetch::Cache;
use super::place::{EXECUTABLE, Placed, READ_ONLY, WRITABLE, place};
use crate::error::{Result, StoreError};
use crate::local::{Buffer, LocalFolder};
use crate::stamp::Stamp;
use crate::store::{ArtifactStore, blocking, blocking_tasks};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef, Tree, TreeEntry};
use tidemill_protocol::digest::Digest;
use tidemill_protocol::name::ArtifactPath;
use tokio::task::JoinSet;

/// Files up to this length are copied: a link would save nothing and could be written through.
const COPY_BYTES_MAX: u64 = 64 << 10;
/// Most files in flight through the cache.
const FILES_IN_FLIGHT_MAX: usize = 16;

/// What a step may do with an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it: mode 0444 (0555 for executables). Large files may share bytes with the cache.
    ReadOnly,
    /// Change it: a private copy of mode 0644 (0755).
    Copy,
}

/// How an artifact was laid out.
#[derive(Debug, Clone, Default)]
pub struct Materialized {
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that share extents with the cache.
    pub cloned: u64,
    /// Files that are hard links to the cache's.
    pub linked: u64,
    linked_files: Vec<(PathBuf, Digest, Stamp)>,
}

impl Materialized {
    /// Whether the files that share bytes with the cache are still what they were. To be asked after the step that could have
    /// written to them and before its result is committed. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] naming the first file that was written to; a file that the step removed is no harm.
    pub fn verify_unchanged(&self) -> Result<()> {
        for (path, digest, stamp) in &self.linked_files {
            let now = fs::symlink_metadata(path).ok();
            // A path that is another file now was replaced, which leaves the shared bytes alone.
            let now = now
                .map(|metadata| Stamp::of(&metadata))
                .filter(|now| now.same_file(stamp));
            if now.is_some_and(|now| !now.same_content(stamp)) {
                return Err(StoreError::Corrupt {
                    object: path.display().to_string(),
                    expected: digest.to_string(),
                    found: "a file that was written to although it is read-only".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn add(&mut self, job: &Job, placed: Placed) -> Result<()> {
        self.files += 1;
        self.bytes += job.size_bytes;
        match placed {
            Placed::Cloned => self.cloned += 1,
            Placed::Copied => {}
            Placed::Linked => {
                self.linked += 1;
                let metadata = fs::symlink_metadata(&job.to)
                    .map_err(|error| StoreError::file("look at", &job.to, error))?;
                self.linked_files
                    .push((job.to.clone(), job.digest, Stamp::of(&metadata)));
            }
        }
        Ok(())
    }
}

/// One file to lay out.
#[derive(Debug, Clone)]
struct Job {
    digest: Digest,
    size_bytes: u64,
    mode: u32,
    to: PathBuf,
    /// Its place in a tree.
    name: Option<ArtifactPath>,
}

impl Job {
    fn blob(artifact: &ArtifactRef, access: Access, to: PathBuf) -> Self {
        let mode = mode(access, false);
        Self {
            digest: artifact.digest,
            size_bytes: artifact.size_bytes,
            mode,
            to,
            name: None,
        }
    }

    fn entry(entry: &TreeEntry, access: Access, to: PathBuf) -> Self {
        Self {
            digest: entry.digest,
            size_bytes: entry.size_bytes,
            mode: mode(access, entry.executable),
            to,
            name: Some(entry.path.clone()),
        }
    }

    /// Says which file of a tree it is that the store has lost.
    fn explain(&self, error: StoreError) -> StoreError {
        match (&self.name, error) {
            (Some(name), StoreError::NotFound { .. }) => StoreError::MissingBlob {
                path: name.to_string(),
                digest: self.digest,
            },
            (_, error) => error,
        }
    }

    /// Whether the file gets bytes of its own in any case.
    fn is_private(&self) -> bool {
        self.mode != READ_ONLY || self.size_bytes <= COPY_BYTES_MAX
    }
}

impl Cache {
    /// Lays an artifact out at `to`, which must not exist yet (a tree's folder may, empty); its parent must.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] and [`StoreError::MissingBlob`] when the artifact is damaged
    /// ([`StoreError::is_data_loss`]); what was laid out before an error stays for the caller to remove with its folder.
    pub async fn materialize(
        &self,
        store: &ArtifactStore,
        artifact: &ArtifactRef,
        to: &Path,
        access: Access,
    ) -> Result<Materialized> {
        let jobs = match artifact.kind {
            ArtifactKind::Blob => vec![Job::blob(artifact, access, to.to_owned())],
            ArtifactKind::Tree => {
                let tree = store.get_tree(&artifact.digest).await?;
                let to = to.to_owned();
                blocking(move || lay_folders(&tree, &to, access)).await?
            }
        };
        let (private, shared): (Vec<Job>, Vec<Job>) = match store.local() {
            Some(_) => jobs.into_iter().partition(Job::is_private),
            None => (Vec::new(), jobs),
        };
        let mut done = Materialized::default();
        if let Some(local) = store.local() {
            copy_out(&local, private, &mut done).await?;
        }
        let placed = stream::iter(shared)
            .map(|job| self.lay(store, job))
            .buffer_unordered(FILES_IN_FLIGHT_MAX);
        placed
            .try_fold(done, |mut done, (job, placed)| async move {
                done.add(&job, placed)?;
                Ok(done)
            })
            .await
    }

    /// Lays one file out through the cache, or past it when it has no room.
    async fn lay(&self, store: &ArtifactStore, job: Job) -> Result<(Job, Placed)> {
        let ensured = self.ensure(store, &job.digest, job.size_bytes).await;
        let Some(pinned) = ensured.map_err(|error| job.explain(error))? else {
            let fetched = store.fetch_to(&job.digest, &job.to, job.mode).await;
            return fetched
                .map(|()| (job.clone(), Placed::Copied))
                .map_err(|error| job.explain(error));
        };
        let cache = self.clone();
        blocking(move || {
            let placed = place(
                pinned.path(),
                &job.to,
                job.mode,
                !job.is_private(),
                cache.cloning(),
            )?;
            Ok((job, placed))
        })
        .await
    }
}

fn mode(access: Access, executable: bool) -> u32 {
    let mode = match access {
        Access::ReadOnly => READ_ONLY,
        Access::Copy => WRITABLE,
    };
    if executable { mode | EXECUTABLE } else { mode }
}

/// Creates the folders of a tree and lists its files in name order.
fn lay_folders(tree: &Tree, to: &Path, access: Access) -> Result<Vec<Job>> {
    let create =
        |folder: &Path| fs::create_dir_all(folder).map_err(|error| StoreError::file("create", folder, error));
    create(to)?;
    let mut jobs = Vec::with_capacity(tree.entries.len());
    let mut last = to.to_owned();
    for entry in &tree.entries {
        let path = to.join(entry.path.as_str());
        let folder = path.parent().expect("an entry lies in the tree's folder");
        if folder != last {
            create(folder)?;
            folder.clone_into(&mut last);
        }
        jobs.push(Job::entry(entry, access, path));
    }
    for folder in &tree.empty_folders {
        create(&to.join(folder.as_str()))?;
    }
    Ok(jobs)
}

/// Copies files straight from a local store, several at a time.
async fn copy_out(local: &Arc<LocalFolder>, jobs: Vec<Job>, done: &mut Materialized) -> Result<()> {
    let jobs = Arc::new(jobs);
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for _ in 0..blocking_tasks().min(jobs.len()) {
        let (local, jobs, next) = (Arc::clone(local), Arc::clone(&jobs), Arc::clone(&next));
        running.spawn_blocking(move || {
            let mut buffer = Buffer::new();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let copied = local.copy_out(&job.digest, &job.to, job.mode, &mut buffer);
                if let Err(error) = copied {
                    next.store(jobs.len(), Ordering::Relaxed);
                    return Err(job.explain(error));
                }
            }
            Ok(())
        });
    }
    while let Some(result) = running.join_next().await {
        result??;
    }
    jobs.iter().try_for_each(|job| done.add(job, Placed::Copied))
}
