//! Files through the coordinator: they come in and go out as bodies, their contents lie in the store, and what is at which path is the ledger's.

use super::asked::{Asked, run_of};
use super::change::change;
use super::fault::Fault;
use super::find::shown;
use super::place::{checked, place};
use super::reach::check_sees;
use super::registry::contents;
use super::shapes;
use crate::access::Caller;
use crate::api::error::ApiError;
use crate::handle::CoordinatorHandle;
use crate::tracking::{StoredFile, TrackingChange};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::artifact::ArtifactRef;
use tokio::io::AsyncWriteExt;

/// Files up to this length are taken in memory; longer ones go to a file first.
const IN_MEMORY_MAX: usize = 1024 * 1024;
/// Longest file.
const FILE_BYTES_MAX: u64 = 1 << 40;

/// Says what this server can do.
#[utoipa::path(get, path = "/api/3.0/mlflow/server-info", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), responses(
    (status = 200, description = "Files come in one piece, through the server.", body = Value),
))]
pub(super) async fn server_info() -> Json<Value> {
    Json(json!({
        "store_type": "SqlStore",
        "workspaces_enabled": false,
        "multipart_uploads_enabled": false,
        "multipart_downloads_enabled": false,
    }))
}

/// Logs a file: the body, byte for byte. It takes the place of what was at the path.
#[utoipa::path(put, path = "/api/2.0/mlflow-artifacts/artifacts/{*path}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("path" = String, Path)),
    request_body(content_type = "application/octet-stream", description = "The bytes."), responses(
    (status = 200, description = "It is stored.", body = Value),
    (status = 404, description = "The path belongs to no run and no model.", body = Value),
))]
pub(super) async fn put(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
    body: Body,
) -> Result<Json<Value>, Fault> {
    let place = place(&handle, &path).await?;
    place.check_may_change(&caller)?;
    let stored = take_in(&handle, body).await?;
    let store = TrackingChange::StoreFile {
        path: place.path,
        file: StoredFile {
            blob: stored.digest,
            size_bytes: stored.size_bytes,
        },
    };
    change(&handle, &caller, store).await?;
    Ok(Json(json!({})))
}

/// Stores a body.
async fn take_in(handle: &CoordinatorHandle, body: Body) -> Result<ArtifactRef, Fault> {
    let failed = |error: std::io::Error| ApiError::internal(&error);
    let mut pieces = body.into_data_stream();
    let mut held: Vec<u8> = Vec::new();
    let mut spilled = None;
    let mut length = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Fault::invalid(format!("the upload broke off: {error}")))?;
        length += piece.len() as u64;
        if length > FILE_BYTES_MAX {
            let message = format!("a file may have at most {FILE_BYTES_MAX} bytes");
            return Err(ApiError::new(ErrorCode::TooLarge, message).into());
        }
        held.extend_from_slice(&piece);
        if held.len() <= IN_MEMORY_MAX {
            continue;
        }
        if spilled.is_none() {
            let draft = tempfile::NamedTempFile::new_in(&handle.inner.uploads).map_err(failed)?;
            let file = tokio::fs::File::create(draft.path()).await.map_err(failed)?;
            spilled = Some((draft, file));
        }
        if let Some((_, file)) = &mut spilled {
            file.write_all(&held).await.map_err(failed)?;
            held.clear();
        }
    }
    let Some((draft, mut file)) = spilled else {
        return Ok(handle.inner.store.put_bytes(held.into()).await?);
    };
    file.write_all(&held).await.map_err(failed)?;
    file.flush().await.map_err(failed)?;
    Ok(handle.inner.store.put_file(draft.path()).await?)
}

/// Reads a file.
#[utoipa::path(get, path = "/api/2.0/mlflow-artifacts/artifacts/{*path}", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("path" = String, Path)), responses(
    (status = 200, description = "Its bytes; the transfer breaks off when they turn out damaged.", content_type = "application/octet-stream"),
    (status = 206, description = "The bytes that the `Range` header asks for.", content_type = "application/octet-stream"),
    (status = 404, description = "There is none at this path.", body = Value),
))]
pub(super) async fn get(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    if let Some(path) = contents::below(&path) {
        let file = contents::file(&handle, path).await?;
        return send(&handle, file, &headers).await;
    }
    let place = place(&handle, &path).await?;
    check_sees(&caller, place.experiment())?;
    let wanted = place.path.clone();
    let found = handle.look(move |sight| sight.ledgers.tracking.files().get(&wanted).copied());
    let found = found
        .await?
        .ok_or_else(|| Fault::missing(format!("there is no artifact `{}`", place.path)))?;
    send(&handle, found, &headers).await
}

/// A file's bytes, or those that a range asks for.
async fn send(handle: &CoordinatorHandle, file: StoredFile, headers: &HeaderMap) -> Result<Response, Fault> {
    let (length, pieces) = handle.inner.store.get_stream(&file.blob).await?;
    let kind = (header::CONTENT_TYPE, "application/octet-stream".to_owned());
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let Some((first, last)) = asked.and_then(|range| bounds(range, length)) else {
        let headers = [
            kind,
            (header::CONTENT_LENGTH, length.to_string()),
            (header::ACCEPT_RANGES, "bytes".to_owned()),
        ];
        return Ok((headers, Body::from_stream(pieces)).into_response());
    };
    let headers = [
        kind,
        (header::CONTENT_LENGTH, (last - first + 1).to_string()),
        (header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}")),
    ];
    // The content is verified as a whole, so all of it is read.
    let mut at = 0_u64;
    let cut = pieces.map(move |piece| {
        piece.map(|piece| {
            let begins = at;
            at += piece.len() as u64;
            let from = first.saturating_sub(begins).min(piece.len() as u64);
            let to = (last + 1).saturating_sub(begins).min(piece.len() as u64);
            let (from, to) = (
                usize::try_from(from).unwrap_or(usize::MAX),
                usize::try_from(to).unwrap_or(usize::MAX),
            );
            if from < to {
                piece.slice(from..to)
            } else {
                axum::body::Bytes::new()
            }
        })
    });
    Ok((StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(cut)).into_response())
}

/// The first and the last byte of a range; none when it is not one range within the file, so that all of it is sent.
fn bounds(range: &str, length: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = match (first.trim(), last.trim()) {
        ("", count) => (length.checked_sub(count.parse().ok()?)?, length.checked_sub(1)?),
        (first, "") => (first.parse().ok()?, length.checked_sub(1)?),
        (first, last) => (
            first.parse().ok()?,
            last.parse::<u64>().ok()?.min(length.checked_sub(1)?),
        ),
    };
    (first <= last && last < length).then_some((first, last))
}

/// Removes a file, or a folder with what is in it. Contents that nothing names any more are swept from the store later.
#[utoipa::path(delete, path = "/api/2.0/mlflow-artifacts/artifacts/{*path}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("path" = String, Path)), responses(
    (status = 200, description = "It is gone.", body = Value),
    (status = 404, description = "There is none at this path.", body = Value),
))]
pub(super) async fn delete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
) -> Result<Json<Value>, Fault> {
    let place = place(&handle, &path).await?;
    place.check_may_change(&caller)?;
    change(&handle, &caller, TrackingChange::RemoveFiles(place.path)).await?;
    Ok(Json(json!({})))
}

/// A folder.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct List {
    path: String,
}

/// Lists a folder of a run or a model.
#[utoipa::path(get, path = "/api/2.0/mlflow-artifacts/artifacts", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("path" = String, Query)), responses(
    (status = 200, description = "Its files and folders, by their names in it.", body = Value),
    (status = 404, description = "The path belongs to no run and no model.", body = Value),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<List>,
) -> Result<Json<Value>, Fault> {
    let path = checked(&asked.path)?;
    let listed = if let Some(path) = contents::below(&path) {
        let inside = contents::list(&handle, path).await?;
        inside.iter().map(|one| shapes::listed(one, "")).collect()
    } else {
        let place = place(&handle, &path).await?;
        check_sees(&caller, place.experiment())?;
        listed(&handle, place.path, "").await?
    };
    Ok(Json(if listed.is_empty() {
        json!({})
    } else {
        json!({"files": listed})
    }))
}

/// A folder's files and folders, their names after `before`.
async fn listed(handle: &CoordinatorHandle, folder: String, before: &str) -> Result<Vec<Value>, Fault> {
    let listed = handle
        .look(move |sight| sight.ledgers.tracking.files().list(&folder))
        .await?;
    Ok(listed.iter().map(|one| shapes::listed(one, before)).collect())
}

/// A folder below a root, as `artifacts/list` answers it.
pub(super) async fn below(
    handle: &CoordinatorHandle,
    root_uri: &str,
    path: Option<&str>,
) -> Result<Json<Value>, Fault> {
    let root = root_uri.trim_start_matches("mlflow-artifacts:/");
    let (folder, before) = match path.unwrap_or_default().trim_matches('/') {
        "" | "." => (root.to_owned(), String::new()),
        path => {
            let path = checked(path)?;
            (format!("{root}/{path}"), format!("{path}/"))
        }
    };
    let files = listed(handle, folder, &before).await?;
    Ok(Json(json!({"root_uri": root_uri, "files": files})))
}

/// A folder of a run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListOfRun {
    run_id: Option<String>,
    run_uuid: Option<String>,
    path: Option<String>,
}

/// Lists a folder of a run's files.
#[utoipa::path(get, path = "/api/2.0/mlflow/artifacts/list", tag = "mlflow", security(("token" = ["reader"]), ("attempt" = [])), params(("run_id" = String, Query)), responses(
    (status = 200, description = "Its files and folders, by their paths below the run's root.", body = Value),
    (status = 404, description = "There is no such run.", body = Value),
))]
pub(super) async fn list_of_run(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Asked(asked): Asked<ListOfRun>,
) -> Result<Json<Value>, Fault> {
    let run = shown(&handle, &run_of(asked.run_id, asked.run_uuid)?).await?;
    check_sees(&caller, &run.experiment)?;
    below(&handle, &run.artifact_uri(), asked.path.as_deref()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_within_the_file_or_none() {
        assert_eq!(bounds("bytes=0-3", 10), Some((0, 3)));
        assert_eq!(bounds("bytes=8-99", 10), Some((8, 9)));
        assert_eq!(bounds("bytes=4-", 10), Some((4, 9)));
        assert_eq!(bounds("bytes=-2", 10), Some((8, 9)));
        for bad in [
            "bytes=10-",
            "bytes=3-2",
            "bytes=-11",
            "bytes=a-b",
            "lines=0-1",
            "bytes=0-1,3-4",
        ] {
            assert_eq!(bounds(bad, 10), None, "{bad}");
        }
        assert_eq!(bounds("bytes=0-", 0), None);
    }
}
