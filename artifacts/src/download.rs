//! Verified reads: what comes out here are the bytes that the digest names, or an error. A remote object is read in ranges, so that what
//! breaks costs no more than one part. How long one may take is not limited, only how long nothing comes ([`crate::line`]).

use crate::error::{Result, StoreError};
use crate::layout;
use crate::local::Buffer;
use crate::multipart::PART_BYTES;
use crate::store::{ArtifactStore, blocking};
use crate::verify::check;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::path::Path as ObjectPath;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use tidemill_protocol::artifact::ArtifactKind;
use tidemill_protocol::digest::Digest;

/// Most ranges of one object in flight.
const RANGES_IN_FLIGHT_MAX: usize = 4;
/// Bytes of one piece of a local object.
const LOCAL_PIECE_BYTES: u64 = 1 << 20;

impl ArtifactStore {
    /// The bytes of a blob, verified.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when it has more than `limit` bytes, [`StoreError::Corrupt`] when they are not those that were committed.
    pub async fn get_bytes(&self, digest: &Digest, limit: usize) -> Result<Bytes> {
        self.get_verified(ArtifactKind::Blob, digest, limit).await
    }

    /// The length and the bytes of a blob as a stream. The last piece comes only when all of them were verified; a stream that ends by
    /// [`StoreError::Corrupt`] has handed out bytes that must not be used.
    pub async fn get_stream(&self, digest: &Digest) -> Result<(u64, BoxStream<'static, Result<Bytes>>)> {
        let key = layout::blob(digest);
        let (size, pieces) = self.open_object(&key).await?;
        Ok((size, verified(pieces, *digest, key)))
    }

    /// The bytes of a content of either kind, verified.
    pub(crate) async fn get_verified(
        &self,
        kind: ArtifactKind,
        digest: &Digest,
        limit: usize,
    ) -> Result<Bytes> {
        let key = layout::artifact(kind, digest);
        let bytes = self.read_object(&key, limit).await?;
        check(&key, digest, &Digest::of(&bytes))?;
        Ok(bytes)
    }

    /// The bytes of an object, unverified.
    pub(crate) async fn read_object(&self, key: &ObjectPath, limit: usize) -> Result<Bytes> {
        let (size, mut pieces) = self.open_object(key).await?;
        if size > limit as u64 {
            return Err(StoreError::TooLarge {
                object: key.to_string(),
                size_bytes: size,
                limit_bytes: limit as u64,
            });
        }
        let Some(first) = pieces.try_next().await? else {
            return Ok(Bytes::new());
        };
        if first.len() as u64 == size {
            return Ok(first);
        }
        let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or(limit));
        whole.extend_from_slice(&first);
        while let Some(piece) = pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }

    /// Writes a blob's verified bytes to a new file.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the bytes are not those of the digest; the file is removed on every error.
    pub(crate) async fn fetch_to(&self, digest: &Digest, to: &Path, mode: u32) -> Result<()> {
        if let Some(local) = self.local() {
            let (digest, to) = (*digest, to.to_owned());
            return blocking(move || local.copy_out(&digest, &to, mode, &mut Buffer::new())).await;
        }
        let created = to.to_owned();
        let file = blocking(move || crate::local::create_file(&created, mode)).await?;
        let written = self.write_stream(digest, to, file).await;
        if written.is_err() {
            // The error that is returned says more than a failed removal could.
            drop(std::fs::remove_file(to));
        }
        written
    }

    async fn write_stream(&self, digest: &Digest, to: &Path, mut file: File) -> Result<()> {
        let (_, mut pieces) = self.get_stream(digest).await?;
        while let Some(piece) = pieces.try_next().await? {
            let path = to.to_owned();
            file = blocking(move || {
                file.write_all(&piece)
                    .map_err(|error| StoreError::file("write", path, error))?;
                Ok(file)
            })
            .await?;
        }
        Ok(())
    }

    async fn open_object(&self, key: &ObjectPath) -> Result<(u64, BoxStream<'static, Result<Bytes>>)> {
        if let Some(local) = self.local() {
            let path = local.path(key);
            let object = key.to_string();
            return blocking(move || open_local(path, object)).await;
        }
        let size = self.size(key).await?.ok_or_else(|| StoreError::NotFound {
            object: key.to_string(),
        })?;
        let (objects, key) = (self.shared_objects(), key.clone());
        let starts = (0..size.div_ceil(PART_BYTES)).map(|part| part * PART_BYTES);
        let ranges = stream::iter(starts.map(move |start| start..size.min(start + PART_BYTES)));
        let pieces = ranges.map(move |range| {
            let (objects, key) = (objects.clone(), key.clone());
            async move {
                objects
                    .get_range(&key, range)
                    .await
                    .map_err(|error| StoreError::backend("read", &key, error))
            }
        });
        Ok((size, pieces.buffered(RANGES_IN_FLIGHT_MAX).boxed()))
    }
}

fn open_local(path: PathBuf, object: String) -> Result<(u64, BoxStream<'static, Result<Bytes>>)> {
    let file = match crate::scan::open_regular(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::NotFound { object });
        }
        Err(error) => return Err(StoreError::file("open", path, error)),
    };
    let size = file
        .metadata()
        .map_err(|error| StoreError::file("look at", &path, error))?
        .len();
    let pieces = stream::try_unfold((file, path), |(file, path)| async move {
        let (file, path, piece) = blocking(move || {
            let mut piece = Vec::new();
            (&file)
                .take(LOCAL_PIECE_BYTES)
                .read_to_end(&mut piece)
                .map_err(|error| StoreError::file("read", &path, error))?;
            Ok((file, path, Bytes::from(piece)))
        })
        .await?;
        Ok((!piece.is_empty()).then_some((piece, (file, path))))
    });
    Ok((size, pieces.boxed()))
}

/// Passes pieces on and holds the last one back until all are verified.
fn verified(
    pieces: BoxStream<'static, Result<Bytes>>,
    digest: Digest,
    key: ObjectPath,
) -> BoxStream<'static, Result<Bytes>> {
    struct State {
        pieces: BoxStream<'static, Result<Bytes>>,
        hasher: blake3::Hasher,
        held: Option<Bytes>,
    }
    let state = State {
        pieces,
        hasher: blake3::Hasher::new(),
        held: None,
    };
    stream::try_unfold(state, move |mut state| {
        let key = key.clone();
        async move {
            while let Some(piece) = state.pieces.try_next().await? {
                state.hasher.update(&piece);
                if let Some(ready) = state.held.replace(piece) {
                    return Ok(Some((ready, state)));
                }
            }
            check(&key, &digest, &state.hasher.finalize().into())?;
            Ok(state.held.take().map(|last| (last, state)))
        }
    })
    .boxed()
}
