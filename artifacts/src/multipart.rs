//! One file to a remote store: in one create-only put when it is small, in parts when it is large. Parts have no create-only form, but need none: the
//! object appears only with the last call, which is made only when all bytes sent have the digest that the key is made of.

use crate::create::{Compare, create};
use crate::error::{Result, StoreError};
use crate::layout;
use crate::progress::Progress;
use crate::scan::{ScannedFile, open_regular};
use crate::store::{ArtifactStore, blocking};
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use object_store::path::Path as ObjectPath;
use object_store::{MultipartUpload, ObjectStoreExt as _};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use tidemill_protocol::digest::Digest;

/// Files above this length are sent in parts of it.
pub(crate) const PART_BYTES: u64 = 8 << 20;
/// Most parts that S3 takes of one object; longer files get longer parts.
const PARTS_MAX: u64 = 10_000;
/// Most parts of one file in flight.
const PARTS_IN_FLIGHT_MAX: usize = 4;

impl ArtifactStore {
    /// Sends one file that the store lacks.
    pub(crate) async fn send_file(&self, file: &ScannedFile, progress: &dyn Progress) -> Result<()> {
        let key = layout::blob(&file.digest);
        if file.size_bytes > PART_BYTES {
            self.send_parts(file, &key, progress).await?;
            progress.moved(1, 0);
            return Ok(());
        }
        let _memory = self.memory_for(file.size_bytes).await?;
        let (path, expected) = (file.path.clone(), file.clone());
        let bytes = blocking(move || read_whole(&path, &expected)).await?;
        create(self.objects(), &key, bytes, Compare::Length).await?;
        progress.moved(1, file.size_bytes);
        Ok(())
    }

    async fn send_parts(&self, file: &ScannedFile, key: &ObjectPath, progress: &dyn Progress) -> Result<()> {
        let failed = |error| StoreError::backend("write", key, error);
        let mut upload = self.objects().put_multipart(key).await.map_err(failed)?;
        let sent = self.stream_parts(&mut *upload, file, key, progress).await;
        let completed = match sent {
            Ok(()) => upload.complete().await.map_err(failed),
            Err(error) => Err(error),
        };
        let Err(error) = completed else {
            return Ok(());
        };
        // The answer to the last call may be lost although it was carried out.
        if matches!(error, StoreError::Backend { .. })
            && self.size(key).await.ok().flatten() == Some(file.size_bytes)
        {
            return Ok(());
        }
        if let Err(error) = upload.abort().await {
            tracing::debug!(%key, %error, "cannot remove the parts of an upload that failed");
        }
        Err(error)
    }

    async fn stream_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        file: &ScannedFile,
        key: &ObjectPath,
        progress: &dyn Progress,
    ) -> Result<()> {
        let part_bytes = PART_BYTES.max(file.size_bytes.div_ceil(PARTS_MAX));
        let path = file.path.clone();
        let mut reader = blocking(move || Reader::open(&path)).await?;
        let mut flying = FuturesUnordered::new();
        loop {
            // Parts in flight hold memory and only move while they are polled, so waiting for memory goes on with them.
            let memory = loop {
                let full = flying.len() >= PARTS_IN_FLIGHT_MAX;
                tokio::select! {
                    Some(done) = flying.next() => progress.moved(0, Result::<u64>::from(done)?),
                    memory = self.memory_for(part_bytes), if !full => break memory?,
                }
            };
            let (back, part) = blocking(move || reader.next(part_bytes)).await?;
            reader = back;
            let length = part.len() as u64;
            if length == 0 {
                break;
            }
            let sending = upload.put_part(part.into());
            flying.push(sending.map(move |result| {
                drop(memory);
                result
                    .map(|()| length)
                    .map_err(|error| StoreError::backend("write", key, error))
            }));
        }
        while let Some(done) = flying.next().await {
            progress.moved(0, done?);
        }
        reader.finish(file)
    }
}

fn read_whole(path: &Path, expected: &ScannedFile) -> Result<Bytes> {
    let mut reader = Reader::open(path)?;
    // One byte more than was scanned shows a file that grew.
    let (back, bytes) = reader.next(expected.size_bytes + 1)?;
    reader = back;
    reader.finish(expected)?;
    Ok(bytes)
}

/// Reads a file piece by piece and hashes what it hands out.
struct Reader {
    file: File,
    hasher: blake3::Hasher,
    size_bytes: u64,
    path: std::path::PathBuf,
}

impl Reader {
    fn open(path: &Path) -> Result<Self> {
        let file = open_regular(path).map_err(|error| StoreError::file("open", path, error))?;
        Ok(Self {
            file,
            hasher: blake3::Hasher::new(),
            size_bytes: 0,
            path: path.to_owned(),
        })
    }

    fn next(mut self, bytes_max: u64) -> Result<(Self, Bytes)> {
        let mut piece = Vec::with_capacity(usize::try_from(bytes_max).unwrap_or(0));
        (&self.file)
            .take(bytes_max)
            .read_to_end(&mut piece)
            .map_err(|error| StoreError::file("read", &self.path, error))?;
        self.hasher.update(&piece);
        self.size_bytes += piece.len() as u64;
        Ok((self, piece.into()))
    }

    fn finish(self, expected: &ScannedFile) -> Result<()> {
        let digest = Digest::from(self.hasher.finalize());
        if digest == expected.digest && self.size_bytes == expected.size_bytes {
            Ok(())
        } else {
            Err(StoreError::Changed { path: self.path })
        }
    }
}
