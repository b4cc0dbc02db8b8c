//! Artifacts: those of a run, and contents by digest in and out of the store. Whatever comes in is checked against the digest that it was announced with.

use super::error::ApiError;
use super::select;
use crate::handle::CoordinatorHandle;
use crate::views;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tidemill_artifacts::StoreError;
use tidemill_protocol::api::{ArtifactView, ErrorBody, ErrorCode, MissingRequest, MissingResponse};
use tidemill_protocol::artifact::{ArtifactRef, Tree};
use tidemill_protocol::digest::Digest;
use tokio::io::AsyncWriteExt;

/// Contents that may be asked for at once, of each kind.
const ASKED_MAX: usize = 10_000;
/// Longest canonical form of a tree.
const TREE_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Files up to this length are taken in memory; longer ones go to a file first.
const IN_MEMORY_MAX: u64 = 1024 * 1024;
/// Longest file.
const BLOB_BYTES_MAX: u64 = 1 << 40;

/// Lists what a run's steps produced.
#[utoipa::path(get, path = "/api/v1/runs/{run}/artifacts", tag = "artifacts", security(("token" = ["reader"])), params(("run" = String, Path)), responses(
    (status = 200, description = "Every output, in plan order.", body = Vec<ArtifactView>),
    (status = 404, description = "There is no such run.", body = ErrorBody),
))]
pub(super) async fn of_run(
    State(handle): State<CoordinatorHandle>,
    Path(run): Path<String>,
) -> Result<Json<Vec<ArtifactView>>, ApiError> {
    let list = handle.look(move |sight| Ok::<_, ApiError>(views::artifacts(select::run(sight, &run)?)));
    Ok(Json(list.await??))
}

/// Says which contents the store lacks.
#[utoipa::path(post, path = "/api/v1/artifacts/missing", tag = "artifacts", security(("token" = ["submitter"])), request_body = MissingRequest, responses(
    (status = 200, description = "Those that are to be uploaded.", body = MissingResponse),
))]
pub(super) async fn missing(
    State(handle): State<CoordinatorHandle>,
    Json(request): Json<MissingRequest>,
) -> Result<Json<MissingResponse>, ApiError> {
    if request.blobs.len() > ASKED_MAX || request.trees.len() > ASKED_MAX {
        let message = format!("at most {ASKED_MAX} contents of each kind may be asked for at once");
        return Err(ApiError::new(ErrorCode::TooLarge, message));
    }
    let (blobs, trees) = handle.inner.store.missing(&request.blobs, &request.trees).await?;
    Ok(Json(MissingResponse { blobs, trees }))
}

fn digest(text: &str) -> Result<Digest, ApiError> {
    text.parse()
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("{error}")))
}

fn agree(stored: ArtifactRef, announced: Digest) -> Result<Json<ArtifactRef>, ApiError> {
    if stored.digest == announced {
        return Ok(Json(stored));
    }
    let message = format!("the bytes have the digest {}, not {announced}", stored.digest);
    Err(ApiError::new(ErrorCode::DigestMismatch, message))
}

/// Stores a file.
#[utoipa::path(put, path = "/api/v1/blobs/{digest}", tag = "artifacts", security(("token" = ["submitter"])), params(("digest" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses(
    (status = 200, description = "It is stored.", body = ArtifactRef),
    (status = 422, description = "The bytes do not have this digest.", body = ErrorBody),
))]
pub(super) async fn put_blob(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<ArtifactRef>, ApiError> {
    let announced = digest(&name)?;
    let mut pieces = body.into_data_stream();
    let mut held: Vec<u8> = Vec::new();
    while let Some(piece) = pieces.next().await {
        held.extend_from_slice(&piece.map_err(|error| broken_off(&error))?);
        if held.len() as u64 > IN_MEMORY_MAX {
            return put_long_blob(&handle, announced, &held, pieces).await;
        }
    }
    if Digest::of(&held) != announced {
        let message = format!("the bytes have the digest {}, not {announced}", Digest::of(&held));
        return Err(ApiError::new(ErrorCode::DigestMismatch, message));
    }
    agree(handle.inner.store.put_bytes(held.into()).await?, announced)
}

async fn put_long_blob(
    handle: &CoordinatorHandle,
    announced: Digest,
    begun: &[u8],
    mut pieces: axum::body::BodyDataStream,
) -> Result<Json<ArtifactRef>, ApiError> {
    let failed = |error: std::io::Error| ApiError::internal(&error);
    let draft = tempfile::NamedTempFile::new_in(&handle.inner.uploads).map_err(failed)?;
    let mut file = tokio::fs::File::create(draft.path()).await.map_err(failed)?;
    let mut length = begun.len() as u64;
    file.write_all(begun).await.map_err(failed)?;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| broken_off(&error))?;
        length += piece.len() as u64;
        if length > BLOB_BYTES_MAX {
            return Err(ApiError::new(
                ErrorCode::TooLarge,
                format!("a file may have at most {BLOB_BYTES_MAX} bytes"),
            ));
        }
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    // The store hashes the file itself; bytes with another digest than announced are merely unused there.
    agree(handle.inner.store.put_file(draft.path()).await?, announced)
}

fn broken_off(error: &axum::Error) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, format!("the upload broke off: {error}"))
}

/// Reads a file.
#[utoipa::path(get, path = "/api/v1/blobs/{digest}", tag = "artifacts", security(("token" = ["reader"])), params(("digest" = String, Path)), responses(
    (status = 200, description = "Its bytes; the transfer breaks off when they turn out damaged.", content_type = "application/octet-stream"),
    (status = 404, description = "It is not in the store.", body = ErrorBody),
))]
pub(super) async fn get_blob(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let (length, pieces) = handle.inner.store.get_stream(&digest(&name)?).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Stores a folder's manifest; its files must be in the store already.
#[utoipa::path(put, path = "/api/v1/trees/{digest}", tag = "artifacts", security(("token" = ["submitter"])), params(("digest" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The canonical bytes."), responses(
    (status = 200, description = "It is stored.", body = ArtifactRef),
    (status = 409, description = "One of its files is not in the store.", body = ErrorBody),
    (status = 422, description = "The bytes do not have this digest.", body = ErrorBody),
))]
pub(super) async fn put_tree(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<ArtifactRef>, ApiError> {
    let announced = digest(&name)?;
    let bytes: Bytes = to_bytes(body, TREE_BYTES_MAX).await.map_err(|_| {
        ApiError::new(
            ErrorCode::TooLarge,
            "the tree is too large, or the upload broke off",
        )
    })?;
    if Digest::of(&bytes) != announced {
        let message = format!(
            "the bytes have the digest {}, not {announced}",
            Digest::of(&bytes)
        );
        return Err(ApiError::new(ErrorCode::DigestMismatch, message));
    }
    let tree = Tree::from_canonical_bytes(&bytes)
        .ok()
        .filter(Tree::is_canonical)
        .ok_or_else(|| ApiError::new(ErrorCode::BadRequest, "the bytes are no tree in canonical form"))?;
    agree(handle.inner.store.put_tree(&tree).await?, announced)
}

/// Reads a folder's manifest.
#[utoipa::path(get, path = "/api/v1/trees/{digest}", tag = "artifacts", security(("token" = ["reader"])), params(("digest" = String, Path)), responses(
    (status = 200, description = "The folder's files.", body = Tree),
    (status = 404, description = "It is not in the store.", body = ErrorBody),
))]
pub(super) async fn get_tree(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
) -> Result<Json<Tree>, ApiError> {
    let read: Result<Tree, StoreError> = handle.inner.store.get_tree(&digest(&name)?).await;
    Ok(Json(read?))
}
