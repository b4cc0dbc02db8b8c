//! Folders of the store as people want them: page by page, or one file out of one. Whole folders are in `archives`, the bytes of files in `blob`.

use super::artifacts::digest;
use super::blob;
use super::error::ApiError;
use super::listing::{Asked, Key, shown};
use crate::handle::CoordinatorHandle;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use tidemill_protocol::api::{ErrorBody, ErrorCode, Page};
use tidemill_protocol::artifact::TreeEntry;
use tidemill_protocol::name::ArtifactPath;

/// Which files of a folder to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[cfg_attr(feature = "fuzzing", derive(serde::Serialize))]
pub(super) struct FilesQuery {
    /// Only files whose paths begin so.
    prefix: Option<String>,
}

/// Lists the files of a folder in the order of their paths.
#[utoipa::path(get, path = "/api/v1/trees/{digest}/files", tag = "artifacts", security(("token" = ["reader"])), params(("digest" = String, Path), FilesQuery, Asked<TreeEntry>), responses(
    (status = 200, description = "One page.", body = Page<TreeEntry>),
    (status = 404, description = "It is not in the store.", body = ErrorBody),
))]
pub(super) async fn list_files(
    State(handle): State<CoordinatorHandle>,
    Path(name): Path<String>,
    Query(query): Query<FilesQuery>,
    mut asked: Asked<TreeEntry>,
) -> Result<Json<Page<TreeEntry>>, ApiError> {
    let tree = handle.inner.store.get_tree(&digest(&name)?).await?;
    asked.resolve(|text| {
        let path = text.parse::<ArtifactPath>().ok()?;
        Some((Key::of(&path), Key::of(&path)))
    })?;
    let prefix = query.prefix.as_deref().unwrap_or_default();
    let all = tree.entries.iter();
    let fitting = all.filter(|entry| entry.path.as_str().starts_with(prefix));
    let page = asked.select(fitting, |entry| {
        let path = Key::from(entry.path.as_str());
        match asked.order.field {
            "size_bytes" => (Key::from(entry.size_bytes), path),
            _ => (path.clone(), path),
        }
    });
    Ok(Json(shown(page, Clone::clone)))
}

/// Reads one file of a folder, or a part of it.
#[utoipa::path(get, path = "/api/v1/trees/{digest}/files/{*path}", tag = "artifacts", security(("token" = ["reader"])), params(
    ("digest" = String, Path),
    ("path" = String, Path, description = "Its path in the folder, slashes and all."),
    ("Range" = Option<String>, Header, description = "One range of bytes."),
), responses(
    (status = 200, description = "Its bytes; the transfer breaks off when they turn out damaged.", content_type = "application/octet-stream"),
    (status = 206, description = "The bytes of the range.", content_type = "application/octet-stream"),
    (status = 304, description = "The caller has it."),
    (status = 404, description = "The folder or the file is not there.", body = ErrorBody),
    (status = 416, description = "It ends before the range.", body = ErrorBody),
))]
pub(super) async fn get_file(
    State(handle): State<CoordinatorHandle>,
    Path((name, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let store = &handle.inner.store;
    let tree = store.get_tree(&digest(&name)?).await?;
    let found = tree
        .entries
        .binary_search_by(|entry| entry.path.as_str().cmp(&path));
    let entry = found.ok().and_then(|at| tree.entries.get(at)).ok_or_else(|| {
        ApiError::new(ErrorCode::NotFound, format!("the folder has no file `{path}`"))
            .hint("`…/files` lists those that it has")
    })?;
    blob::serve(store, &entry.digest, &headers).await
}
