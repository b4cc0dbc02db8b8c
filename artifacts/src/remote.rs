//! Files of stores that are not ours: a datastore's, read for a step; `outgoing` writes there. Nothing that lies there has our names; what is
//! brought is bounded, and stays below the place to which it is brought.

use crate::error::{Result, StoreError};
use crate::guard::{FetchLimits, Guard};
use crate::open::{StoreConfig, connect};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidemill_protocol::name::ArtifactPath;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt as _;

/// Files of one folder at most.
pub(crate) const FILES_MAX: usize = 100_000;
/// Files at once.
pub(crate) const FILES_AT_ONCE: usize = 8;

/// A store that is somebody else's, open for reading.
#[derive(Debug, Clone)]
pub struct RemoteStore {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) url: String,
    pub(crate) limits: FetchLimits,
}

/// What was brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// How many files.
    pub files: u64,
    /// Their bytes together.
    pub size_bytes: u64,
}

impl RemoteStore {
    /// The store at this address. Nothing is asked of it yet, and then only what the guard lets pass; none for who may reach everything as it is.
    ///
    /// # Errors
    /// When the address or an option is wrong.
    pub fn open(config: &StoreConfig, limits: FetchLimits, guard: Option<&Guard>) -> Result<Self> {
        let opened = connect(config, guard)?;
        Ok(Self {
            objects: opened.objects,
            url: opened.url,
            limits,
        })
    }

    /// Brings the file at this path below the store's root to `to`, which must not exist.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::TooLarge`] beyond the limit, otherwise the store's or the disk's.
    pub async fn bring_file(&self, path: &str, to: &Path) -> Result<Brought> {
        let key = self.key(path)?;
        let room = AtomicU64::new(self.limits.bytes_max);
        let size_bytes = self.copy(&key, to, &room).await?;
        Ok(Brought { files: 1, size_bytes })
    }

    /// Brings every file below this path to the folder `to`, which must not exist.
    ///
    /// # Errors
    /// As of a file; [`StoreError::NotFound`] when nothing lies there.
    pub async fn bring_folder(&self, path: &str, to: &Path) -> Result<Brought> {
        let prefix = self.key(path.trim_end_matches('/'))?;
        let files = self.list(&prefix, to).await?;
        let room = Arc::new(AtomicU64::new(self.limits.bytes_max));
        create_folder(to).await?;
        let sizes: Vec<u64> = stream::iter(files)
            .map(|(key, to)| {
                let (store, room) = (self.clone(), Arc::clone(&room));
                async move {
                    create_folder(to.parent().unwrap_or(&to)).await?;
                    store.copy(&key, &to, &room).await
                }
            })
            .buffer_unordered(FILES_AT_ONCE.min(self.limits.at_once.max(1)))
            .try_collect()
            .await?;
        Ok(Brought {
            files: sizes.len() as u64,
            size_bytes: sizes.iter().sum(),
        })
    }

    /// Whether anything can be read there: asks for the first of the names below the root.
    ///
    /// # Errors
    /// The store's.
    pub async fn look(&self) -> Result<bool> {
        let first = self.objects.list(None).next().await.transpose();
        let first = first.map_err(|error| StoreError::backend("list", &ObjectPath::default(), error))?;
        Ok(first.is_some())
    }

    pub(crate) fn key(&self, path: &str) -> Result<ObjectPath> {
        ObjectPath::parse(path).map_err(|error| StoreError::Address {
            url: format!("{}/{path}", self.url),
            reason: error.to_string(),
        })
    }

    /// The files below a path, each with its place below `to`.
    async fn list(&self, prefix: &ObjectPath, to: &Path) -> Result<Vec<(ObjectPath, PathBuf)>> {
        let mut listed = self.objects.list(Some(prefix));
        let mut files = Vec::new();
        while let Some(found) = listed.next().await {
            let ObjectMeta { location, .. } =
                found.map_err(|error| StoreError::backend("list", prefix, error))?;
            let Some(place) = place_below(prefix, &location) else {
                continue;
            };
            if files.len() >= FILES_MAX {
                return Err(StoreError::TooLarge {
                    object: format!("{}/{prefix}", self.url),
                    size_bytes: files.len() as u64 + 1,
                    limit_bytes: FILES_MAX as u64,
                });
            }
            files.push((location, to.join(place.as_str())));
        }
        if files.is_empty() {
            return Err(StoreError::NotFound {
                object: format!("{}/{prefix}", self.url),
            });
        }
        Ok(files)
    }

    async fn copy(&self, key: &ObjectPath, to: &Path, room: &AtomicU64) -> Result<u64> {
        let failed = |error| StoreError::backend("read", key, error);
        let found = self.objects.get(key).await.map_err(failed)?;
        let announced = found.meta.size;
        let too_large = || StoreError::TooLarge {
            object: format!("{}/{key}", self.url),
            size_bytes: announced,
            limit_bytes: self.limits.bytes_max,
        };
        let on_disk = |error: std::io::Error| StoreError::file("write", to, error);
        let opened = OpenOptions::new().write(true).create_new(true).open(to).await;
        let mut file = opened.map_err(on_disk)?;
        let mut pieces = found.into_stream();
        let mut size = 0;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(failed)?;
            let length = piece.len() as u64;
            let taken = room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(length)
            });
            taken.map_err(|_| too_large())?;
            file.write_all(&piece).await.map_err(on_disk)?;
            size += length;
        }
        file.flush().await.map_err(on_disk)?;
        Ok(size)
    }
}

async fn create_folder(folder: &Path) -> Result<()> {
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|error| StoreError::file("make", folder, error))
}

/// Where an object stands below a prefix; none for markers of folders and for names that no file can have.
fn place_below(prefix: &ObjectPath, location: &ObjectPath) -> Option<ArtifactPath> {
    let parts: Vec<String> = location
        .prefix_match(prefix)?
        .map(|part| part.as_ref().to_owned())
        .collect();
    parts.join("/").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    async fn store(files: &[(&str, &'static str)], bytes_max: u64) -> RemoteStore {
        let objects = InMemory::new();
        for (path, text) in files {
            objects
                .put(&ObjectPath::from(*path), (*text).into())
                .await
                .unwrap();
        }
        RemoteStore {
            objects: Arc::new(objects),
            url: "s3://lake".into(),
            limits: FetchLimits {
                bytes_max,
                ..FetchLimits::default()
            },
        }
    }

    #[tokio::test]
    async fn a_folder_comes_with_everything_below_it_and_nothing_beside_it() {
        let files = [("raw/a.csv", "1"), ("raw/deep/b.csv", "22"), ("rawer/c.csv", "3")];
        let (store, folder) = (store(&files, 100).await, tempfile::tempdir().unwrap());
        let to = folder.path().join("in");
        let brought = store.bring_folder("raw/", &to).await.unwrap();
        assert_eq!((brought.files, brought.size_bytes), (2, 3));
        assert_eq!(std::fs::read_to_string(to.join("deep/b.csv")).unwrap(), "22");
        assert!(!to.join("c.csv").exists());
        let one = folder.path().join("one.csv");
        store.bring_file("raw/a.csv", &one).await.unwrap();
        assert_eq!(std::fs::read_to_string(one).unwrap(), "1");
        assert!(store.look().await.unwrap());
    }

    #[tokio::test]
    async fn what_is_not_there_or_too_large_is_refused() {
        let (store, folder) = (
            store(&[("raw/a", "123"), ("raw/b", "456")], 5).await,
            tempfile::tempdir().unwrap(),
        );
        let to = |name: &str| folder.path().join(name);
        let missing = store.bring_folder("nothing", &to("a")).await.unwrap_err();
        assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
        let missing = store.bring_file("raw", &to("b")).await.unwrap_err();
        assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
        let large = store.bring_folder("raw", &to("c")).await.unwrap_err();
        assert!(matches!(large, StoreError::TooLarge { .. }), "{large}");
        assert!(store.bring_file("../x", &to("d")).await.is_err());
    }
}
