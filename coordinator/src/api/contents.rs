//! Contents by their SHA-256, for clients without BLAKE3. They are stored as all others are; the second name is kept beside them.

use super::assemble::{FILES_MAX, Told, assemble, find_blobs};
use super::error::ApiError;
use super::intake::{keep, take};
use crate::handle::CoordinatorHandle;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use ring::digest::{Context, SHA256};
use tidemill_protocol::api::{AssembleRequest, ContentsRequest, ContentsResponse, ErrorBody, ErrorCode};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::sha256::Sha256;

/// Contents that may be asked for at once.
const ASKED_MAX: usize = 10_000;

/// Says which files, named by their SHA-256, the store lacks.
#[utoipa::path(post, path = "/api/v1/contents/missing", tag = "artifacts", security(("token" = ["submitter"])), request_body = ContentsRequest, responses(
    (status = 200, description = "Those that are to be uploaded.", body = ContentsResponse),
    (status = 413, description = "Too many were asked for.", body = ErrorBody),
))]
pub(super) async fn missing_contents(
    State(handle): State<CoordinatorHandle>,
    Json(request): Json<ContentsRequest>,
) -> Result<Json<ContentsResponse>, ApiError> {
    if request.sha256.len() > ASKED_MAX {
        let message = format!("at most {ASKED_MAX} contents may be asked for at once");
        return Err(ApiError::new(ErrorCode::TooLarge, message));
    }
    let found = handle.inner.store.find_aliases(&request.sha256).await?;
    let mut missing = request.sha256;
    missing.retain(|name| !found.contains_key(name));
    Ok(Json(ContentsResponse { missing }))
}

/// Stores a file that is announced by its SHA-256. The answer has its digest.
#[utoipa::path(put, path = "/api/v1/contents/{sha256}", tag = "artifacts", security(("token" = ["submitter"])), params(("sha256" = String, Path)),
    request_body(content_type = "application/octet-stream", description = "The bytes."), responses(
    (status = 200, description = "It is stored.", body = ArtifactRef),
    (status = 422, description = "The bytes have another SHA-256.", body = ErrorBody),
))]
pub(super) async fn put_content(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<ArtifactRef>, ApiError> {
    let announced: Sha256 = name
        .parse()
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("{error}")))?;
    let mut hash = Context::new(&SHA256);
    let taken = take(&handle, body, |piece| hash.update(piece)).await?;
    let found = hash.finish();
    if found.as_ref() != announced.as_bytes() {
        let message = format!("the bytes do not have the SHA-256 {announced}");
        return Err(ApiError::new(ErrorCode::DigestMismatch, message));
    }
    let stored = keep(&handle, taken).await?;
    handle.inner.store.put_alias(&announced, &stored).await?;
    Ok(Json(stored))
}

/// Makes an artifact of files that were sent.
#[utoipa::path(post, path = "/api/v1/contents/artifacts", tag = "artifacts", security(("token" = ["submitter"])), request_body = AssembleRequest, responses(
    (status = 200, description = "It is stored.", body = ArtifactRef),
    (status = 409, description = "A file is not in the store; it is to be uploaded first.", body = ErrorBody),
    (status = 413, description = "There are too many files.", body = ErrorBody),
))]
pub(super) async fn put_together(
    State(handle): State<CoordinatorHandle>,
    Json(request): Json<AssembleRequest>,
) -> Result<Json<ArtifactRef>, ApiError> {
    if request.files.len() > FILES_MAX {
        let message = format!("a folder may have at most {FILES_MAX} files");
        return Err(ApiError::new(ErrorCode::TooLarge, message));
    }
    let store = &handle.inner.store;
    let told = Told {
        name: "what was told of",
        folder: request.folder,
        files: &request.files,
        empty_folders: &request.empty_folders,
    };
    let blobs = find_blobs(store, request.files.iter()).await?;
    Ok(Json(assemble(store, told, &blobs).await?))
}
