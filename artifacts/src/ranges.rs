//! Parts of blobs. A part cannot be verified by the name of the whole: whoever puts a file together from parts checks it when it is whole.

use crate::error::{Result, StoreError};
use crate::layout;
use crate::multipart::PART_BYTES;
use crate::store::{ArtifactStore, blocking};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::ObjectStoreExt as _;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use tidemill_protocol::digest::Digest;

/// Bytes of one piece of a local object.
const LOCAL_PIECE_BYTES: u64 = 1 << 20;
/// Most ranges of one object in flight.
const RANGES_IN_FLIGHT_MAX: usize = 4;

impl ArtifactStore {
    /// The length of a blob.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not in the store.
    pub async fn blob_size(&self, digest: &Digest) -> Result<u64> {
        let key = layout::blob(digest);
        let size = match self.local() {
            Some(local) => {
                let key = key.clone();
                blocking(move || local.size(&key)).await?
            }
            None => self.size(&key).await?,
        };
        size.ok_or_else(|| StoreError::NotFound {
            object: key.to_string(),
        })
    }

    /// The bytes of a blob in this range, unverified. The range lies within the blob.
    pub async fn get_range(
        &self,
        digest: &Digest,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let key = layout::blob(digest);
        if let Some(local) = self.local() {
            let (path, object) = (local.path(&key), key.to_string());
            return blocking(move || open_local(path, object, range)).await;
        }
        let objects = self.shared_objects();
        let parts = (0..(range.end - range.start).div_ceil(PART_BYTES)).map(move |part| {
            let start = range.start + part * PART_BYTES;
            start..range.end.min(start + PART_BYTES)
        });
        let pieces = stream::iter(parts).map(move |part| {
            let (objects, key) = (objects.clone(), key.clone());
            async move {
                let read = objects.get_range(&key, part).await;
                read.map_err(|error| StoreError::backend("read", &key, error))
            }
        });
        Ok(pieces.buffered(RANGES_IN_FLIGHT_MAX).boxed())
    }
}

fn open_local(path: PathBuf, object: String, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes>>> {
    let mut file = match crate::scan::open_regular(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::NotFound { object });
        }
        Err(error) => return Err(StoreError::file("open", path, error)),
    };
    file.seek(SeekFrom::Start(range.start))
        .map_err(|error| StoreError::file("read", &path, error))?;
    let left = range.end - range.start;
    let pieces = stream::try_unfold((file, path, left), |(file, path, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        blocking(move || {
            let piece = next_piece(&file, left).map_err(|error| StoreError::file("read", &path, error))?;
            let left = left - piece.len() as u64;
            Ok(Some((piece, (file, path, left))))
        })
        .await
    });
    Ok(pieces.boxed())
}

/// The next piece, which is as long as it should be: a file of the store does not grow shorter.
fn next_piece(mut file: &File, left: u64) -> std::io::Result<Bytes> {
    let length = left.min(LOCAL_PIECE_BYTES);
    let mut piece = Vec::new();
    file.by_ref().take(length).read_to_end(&mut piece)?;
    if piece.len() as u64 == length {
        Ok(piece.into())
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}
