//! Many files into the local store with two flushes of the disk: all bytes, a flush, all names, a flush. A handful of files and
//! folders is flushed one by one instead, so that a large neighbour's dirty pages are not waited for.

use super::copy::Buffer;
use super::folder::{LocalFolder, create_private_folder, sync_folder};
use super::intake::{self, Staged, Taken};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::scan::ScannedFile;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use tidemill_protocol::artifact::{ArtifactKind, ArtifactRef};
use tidemill_protocol::digest::Digest;

/// Up to this many files are flushed one by one; more are flushed with their whole file system.
const FLUSH_EACH_MAX: usize = 16;
/// Most threads that take the files of one batch.
const THREADS_MAX: usize = 8;
/// How often a name is tried whose folder another process removes because it looked empty.
const NAMING_TRIES_MAX: usize = 10;

/// How much of a batch has come in, for whoever watches while it runs.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// Files.
    pub(crate) files: AtomicU64,
    /// Their bytes.
    pub(crate) bytes: AtomicU64,
}

impl LocalFolder {
    /// Stores one file of unknown content in a single pass over it. Durable when it returns.
    pub(crate) fn put_file(&self, path: &Path) -> Result<ArtifactRef> {
        create_private_folder(&self.tmp())?;
        let Taken {
            staged,
            file,
            digest,
            size_bytes,
        } = intake::copy(self, path, &mut Buffer::new())?;
        if self.size(&layout::blob(&digest))? != Some(size_bytes) {
            flush(&file, staged.path())?;
            self.name_all(vec![(staged, digest)])?;
        }
        Ok(ArtifactRef {
            kind: ArtifactKind::Blob,
            digest,
            size_bytes,
            files: 1,
        })
    }

    /// Stores scanned files with several threads, moving them where the caller gives them up and that is possible. Durable when it
    /// returns; what had arrived before an error is stored or removed, never half there.
    pub(crate) fn put_batch(&self, files: &[ScannedFile], may_move: bool, arrived: &Arrived) -> Result<()> {
        create_private_folder(&self.tmp())?;
        let taking = Taking {
            folder: self,
            files,
            next: AtomicUsize::new(0),
            may_move,
            flush_each: files.len() <= FLUSH_EACH_MAX,
            arrived,
        };
        // Opened before the first write: the kernel reports failed write-back to those who were there to hear it.
        let root = self.open_root()?;
        let staged = taking.run()?;
        if !taking.flush_each {
            self.flush_all(&root)?;
        }
        self.name_all(staged)
    }

    fn open_root(&self) -> Result<File> {
        File::open(&self.root).map_err(|error| StoreError::file("open", &self.root, error))
    }

    /// Makes everything on the store's file system durable.
    fn flush_all(&self, root: &File) -> Result<()> {
        rustix::fs::syncfs(root).map_err(|error| StoreError::file("flush", &self.root, error))
    }

    /// Gives durable bytes their names, durably, and only then takes the names that the caller gave up.
    fn name_all(&self, files: Vec<(Staged, Digest)>) -> Result<()> {
        let root = self.open_root()?;
        let (mut touched, mut given_up) = (BTreeSet::new(), Vec::new());
        for (staged, digest) in files {
            let target = self.path(&layout::blob(&digest));
            let folder = target.parent().expect("a blob lies in a folder").to_owned();
            self.name(&staged, &target, &folder, &mut touched)?;
            given_up.extend(staged.named());
            touched.insert(folder);
        }
        if touched.len() <= FLUSH_EACH_MAX {
            touched.iter().try_for_each(|folder| sync_folder(folder))?;
        } else {
            self.flush_all(&root)?;
        }
        for path in given_up {
            fs::remove_file(&path).map_err(|error| StoreError::file("remove", path, error))?;
        }
        Ok(())
    }

    fn name(
        &self,
        staged: &Staged,
        target: &Path,
        folder: &Path,
        touched: &mut BTreeSet<PathBuf>,
    ) -> Result<()> {
        let mut tries = 1;
        loop {
            match fs::rename(staged.path(), target) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < NAMING_TRIES_MAX => {
                    create_private_folder(folder)?;
                    let parents = folder.ancestors().skip(1);
                    touched.extend(
                        parents
                            .take_while(|parent| parent.starts_with(&self.root))
                            .map(Path::to_owned),
                    );
                }
                Err(error) => return Err(StoreError::file("create", target, error)),
            }
            tries += 1;
        }
    }
}

/// Files on their way in, taken by several threads in their order.
struct Taking<'a> {
    folder: &'a LocalFolder,
    files: &'a [ScannedFile],
    next: AtomicUsize,
    may_move: bool,
    flush_each: bool,
    arrived: &'a Arrived,
}

impl Taking<'_> {
    fn run(&self) -> Result<Vec<(Staged, Digest)>> {
        let threads = thread::available_parallelism()
            .map_or(1, NonZero::get)
            .min(THREADS_MAX);
        let taken: Vec<Result<Vec<(Staged, Digest)>>> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads.min(self.files.len()))
                .map(|_| scope.spawn(|| self.take_some()))
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            running.into_iter().map(join).collect()
        });
        let mut all = Vec::with_capacity(self.files.len());
        for some in taken {
            all.append(&mut some?);
        }
        Ok(all)
    }

    fn take_some(&self) -> Result<Vec<(Staged, Digest)>> {
        let (mut buffer, mut staged) = (Buffer::new(), Vec::new());
        while let Some(scanned) = self.files.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let taken = self.take(scanned, &mut buffer).inspect_err(|_| {
                // The others need not go on.
                self.next.store(self.files.len(), Ordering::Relaxed);
            })?;
            staged.push(taken);
            self.arrived.files.fetch_add(1, Ordering::Relaxed);
            self.arrived
                .bytes
                .fetch_add(scanned.size_bytes, Ordering::Relaxed);
        }
        Ok(staged)
    }

    fn take(&self, scanned: &ScannedFile, buffer: &mut Buffer) -> Result<(Staged, Digest)> {
        let taken = intake::take(self.folder, scanned, self.may_move, buffer)?;
        if self.flush_each {
            flush(&taken.file, taken.staged.path())?;
        }
        Ok((taken.staged, taken.digest))
    }
}

fn flush(file: &File, path: &Path) -> Result<()> {
    file.sync_data()
        .map_err(|error| StoreError::file("flush", path, error))
}
