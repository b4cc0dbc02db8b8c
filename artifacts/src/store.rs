//! The handle on a store that everything else is built on: where it is, its objects, and the shared bounds on work in flight.
//! What can be done with it is in the files of its operations (`blobs`, `trees`, `upload`, `download`, `commit`, `sweep`).

use crate::abandoned::Bucket;
use crate::error::{Result, StoreError};
use crate::local::LocalFolder;
use crate::open::{self, Opened, StoreConfig};
use crate::pins::Pins;
use object_store::ObjectStore;
use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most bytes of files that one store holds in memory for uploads and downloads, in units of [`MEMORY_UNIT`].
const MEMORY_UNITS_MAX: u32 = 1024;
/// The unit in which memory is lent: together 64 MiB.
const MEMORY_UNIT: u64 = 64 << 10;
/// Most blocking tasks that one transfer uses at a time; fewer on small machines.
const BLOCKING_MAX: usize = 8;

/// A store of artifacts. Cheap to clone; all clones share the bounds on memory.
#[derive(Clone)]
pub struct ArtifactStore {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    objects: Arc<dyn ObjectStore>,
    local: Option<Arc<LocalFolder>>,
    bucket: Option<Bucket>,
    memory: Semaphore,
    pins: Pins,
}

impl ArtifactStore {
    /// Opens the store and proves with two small writes that it honours create-only puts.
    ///
    /// # Errors
    /// [`StoreError::Address`] for what is wrong with the configuration, [`StoreError::Refused`] for a store on which two attempts could
    /// both commit, and the store's own answer when it cannot be reached or written.
    pub async fn open(config: &StoreConfig) -> Result<Self> {
        open::open(config).await.map(Self::new)
    }

    fn new(opened: Opened) -> Self {
        let inner = Inner {
            url: opened.url,
            objects: opened.objects,
            local: opened.folder.map(LocalFolder::new).map(Arc::new),
            bucket: opened.bucket,
            memory: Semaphore::new(MEMORY_UNITS_MAX as usize),
            pins: Pins::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The store's address without credentials.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Remembers from here on what is stored and asked for, so that [`Self::sweep`] spares it. To be called once by a process that will sweep, before it does anything
    /// else with the store; all clones share it.
    pub fn keep_pins(&self) {
        self.inner.pins.keep();
    }

    /// How long it takes until a sweep by this process spares everything that somebody may have found here and be about to name: some hours after its start, because what was
    /// asked of the process before it is not known. Nothing in a local store, where a content that somebody asks for is made young.
    pub async fn spares_all_in(&self) -> Duration {
        if self.inner.local.is_some() {
            return Duration::ZERO;
        }
        self.inner.pins.whole_in().await
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.inner.pins
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStore {
        &*self.inner.objects
    }

    pub(crate) fn shared_objects(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.inner.objects)
    }

    /// The folder of a local store.
    pub(crate) fn local(&self) -> Option<Arc<LocalFolder>> {
        self.inner.local.clone()
    }

    /// The bucket of a store that can be asked which uploads nobody ended.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        self.inner.bucket.as_ref()
    }

    /// Waits until this many bytes may be held; a request above the whole bound gets the whole.
    pub(crate) async fn memory_for(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        let units = u32::try_from(bytes.div_ceil(MEMORY_UNIT)).unwrap_or(u32::MAX);
        self.inner
            .memory
            .acquire_many(units.clamp(1, MEMORY_UNITS_MAX))
            .await
            .map_err(|_| StoreError::ShuttingDown)
    }
}

impl fmt::Debug for ArtifactStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArtifactStore").field(&self.inner.url).finish()
    }
}

/// How many blocking tasks a transfer may use at a time on this machine.
pub(crate) fn blocking_tasks() -> usize {
    thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(BLOCKING_MAX)
}

/// Runs blocking work where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}
