//! Artifacts: those of a run, and contents by digest in and out of the store. Whatever comes in is checked against the digest that it was announced with.

use super::blob;
use super::error::ApiError;
use super::intake::{Taken, keep, take};
use super::listing::{Asked, Listing};
use super::select;
use crate::handle::CoordinatorHandle;
use crate::views;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tidemill_artifacts::StoreError;
use tidemill_protocol::api::{ArtifactView, ErrorBody, ErrorCode, MissingRequest, MissingResponse};
use tidemill_protocol::artifact::{ArtifactRef, Tree};
use tidemill_protocol::digest::Digest;

/// Contents that may be asked for at once, of each kind.
const ASKED_MAX: usize = 10_000;
/// Longest canonical form of a tree.
const TREE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Lists what a run's steps produced.
#[utoipa::path(get, path = "/api/v1/runs/{run}/artifacts", tag = "artifacts", security(("token" = ["reader"])), params(("run" = String, Path), Asked<ArtifactView>), responses(
    (status = 200, description = "Every output, in plan order.", body = Listing<ArtifactView>),
    (status = 404, description = "There is no such run.", body = ErrorBody),
))]
pub(super) async fn of_run(
    State(handle): State<CoordinatorHandle>,
    Path(run): Path<String>,
    asked: Asked<ArtifactView>,
) -> Result<Json<Listing<ArtifactView>>, ApiError> {
    let list = handle.look(move |sight| Ok::<_, ApiError>(views::artifacts(select::run(sight, &run)?)));
    Ok(asked.answer_ranked(list.await??))
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

/// The digest that a path names.
pub(super) fn digest(text: &str) -> Result<Digest, ApiError> {
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
    request_body(content_type = "application/octet-stream", description = "The bytes."), responses(
    (status = 200, description = "It is stored.", body = ArtifactRef),
    (status = 422, description = "The bytes do not have this digest.", body = ErrorBody),
))]
pub(super) async fn put_blob(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<ArtifactRef>, ApiError> {
    let announced = digest(&name)?;
    let taken = take(&handle, body, |_| ()).await?;
    if let Taken::Bytes(bytes) = &taken
        && Digest::of(bytes) != announced
    {
        let message = format!("the bytes have the digest {}, not {announced}", Digest::of(bytes));
        return Err(ApiError::new(ErrorCode::DigestMismatch, message));
    }
    // Of a long file, bytes with another digest than announced are merely unused in the store.
    agree(keep(&handle, taken).await?, announced)
}

/// Reads a file, or a part of it. Its digest is its entity tag. With `Want-Repr-Digest: sha-256=1` the answer has its SHA-256, which costs a reading before.
#[utoipa::path(get, path = "/api/v1/blobs/{digest}", tag = "artifacts", security(("token" = ["reader"])), params(
    ("digest" = String, Path),
    ("Range" = Option<String>, Header, description = "One range of bytes."),
    ("Want-Repr-Digest" = Option<String>, Header, description = "`sha-256=1` asks for the header `Repr-Digest`."),
), responses(
    (status = 200, description = "Its bytes; the transfer breaks off when they turn out damaged.", content_type = "application/octet-stream"),
    (status = 206, description = "The bytes of the range, which only a reader of all of them can check.", content_type = "application/octet-stream"),
    (status = 304, description = "The caller has it."),
    (status = 404, description = "It is not in the store.", body = ErrorBody),
    (status = 416, description = "It ends before the range.", body = ErrorBody),
))]
pub(super) async fn get_blob(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    blob::serve(&handle.inner.store, &digest(&name)?, &headers).await
}

/// Stores a folder's manifest; its files must be in the store already.
#[utoipa::path(put, path = "/api/v1/trees/{digest}", tag = "artifacts", security(("token" = ["submitter"])), params(("digest" = String, Path)),
    request_body(content_type = "application/octet-stream", description = "The canonical bytes."), responses(
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
