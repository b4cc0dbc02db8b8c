//! A store in memory with one of the faults that real stores have shown, for tests.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// What is wrong with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It overwrites although asked to create only.
    IgnoresConditions,
    /// The first so many creations are answered by `AlreadyExists` and nothing is written.
    ConflictsInFlight(u32),
    /// The first so many creations are carried out and answered by an error.
    LosesAnswers(u32),
    /// The first so many creations fail without a trace.
    Fails(u32),
}

/// A store in memory with a fault.
#[derive(Debug)]
pub(crate) struct Faulty {
    objects: InMemory,
    fault: Fault,
    puts: AtomicU32,
}

impl Faulty {
    /// An empty store.
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            objects: InMemory::new(),
            fault,
            puts: AtomicU32::new(0),
        }
    }

    /// How many writes it was asked for.
    pub(crate) fn puts(&self) -> u32 {
        self.puts.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let number = self.puts.fetch_add(1, Ordering::Relaxed);
        let lost = || Error::Generic {
            store: "faulty",
            source: "the answer is lost".into(),
        };
        match self.fault {
            Fault::IgnoresConditions => options.mode = PutMode::Overwrite,
            Fault::ConflictsInFlight(count) if number < count => {
                return Err(Error::AlreadyExists {
                    path: location.to_string(),
                    source: "409".into(),
                });
            }
            Fault::LosesAnswers(count) if number < count => {
                self.objects.put_opts(location, payload, options).await?;
                return Err(lost());
            }
            Fault::Fails(count) if number < count => return Err(lost()),
            _ => {}
        }
        self.objects.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
