//! Files on their way into the store: short ones are taken in memory, longer ones through a file of the state folder. What they are announced as is checked by
//! whoever asked for them.

use super::error::ApiError;
use crate::handle::CoordinatorHandle;
use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use tempfile::NamedTempFile;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::artifact::ArtifactRef;
use tokio::io::AsyncWriteExt;

/// Files up to this length are taken in memory; longer ones go to a file first.
const IN_MEMORY_MAX: u64 = 1024 * 1024;
/// Longest file.
const BLOB_BYTES_MAX: u64 = 1 << 40;

/// A body that was read whole.
#[derive(Debug)]
pub(super) enum Taken {
    /// In memory.
    Bytes(Bytes),
    /// In a file that goes away with this.
    File(NamedTempFile),
}

/// Reads a body to its end; `see` is shown every piece.
pub(super) async fn take(
    handle: &CoordinatorHandle,
    body: Body,
    mut see: impl FnMut(&[u8]) + Send,
) -> Result<Taken, ApiError> {
    let failed = |error: std::io::Error| ApiError::internal(&error);
    let mut pieces = body.into_data_stream();
    let mut held: Vec<u8> = Vec::new();
    let mut draft: Option<(NamedTempFile, tokio::fs::File)> = None;
    let mut length = 0_u64;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            ApiError::new(ErrorCode::BadRequest, format!("the upload broke off: {error}"))
        })?;
        length += piece.len() as u64;
        if length > BLOB_BYTES_MAX {
            let message = format!("a file may have at most {BLOB_BYTES_MAX} bytes");
            return Err(ApiError::new(ErrorCode::TooLarge, message));
        }
        see(&piece);
        match &mut draft {
            Some((_, file)) => file.write_all(&piece).await.map_err(failed)?,
            None => held.extend_from_slice(&piece),
        }
        if draft.is_none() && length > IN_MEMORY_MAX {
            let named = NamedTempFile::new_in(&handle.inner.uploads).map_err(failed)?;
            let mut file = tokio::fs::File::create(named.path()).await.map_err(failed)?;
            file.write_all(&held).await.map_err(failed)?;
            held = Vec::new();
            draft = Some((named, file));
        }
    }
    match draft {
        Some((named, mut file)) => {
            file.flush().await.map_err(failed)?;
            Ok(Taken::File(named))
        }
        None => Ok(Taken::Bytes(held.into())),
    }
}

/// Stores what was taken. The store hashes it itself.
pub(super) async fn keep(handle: &CoordinatorHandle, taken: Taken) -> Result<ArtifactRef, ApiError> {
    let store = &handle.inner.store;
    match taken {
        Taken::Bytes(bytes) => Ok(store.put_bytes(bytes).await?),
        Taken::File(file) => Ok(store.put_file(file.path()).await?),
    }
}
