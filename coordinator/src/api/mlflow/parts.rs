//! Files that clients log in parts: begun with a number of parts, each part sent to an address of its own, put together or given up at the end. The parts are sent with the
//! headers that the first answer hands back, which are the client's own, so that the gate sees who sends them.

use super::asked::{Asked, Whole};
use super::change::{change, random};
use super::fault::Fault;
use super::partial::{PARTS_MAX, Part, PartError, Uploads, put_together};
use super::place::place;
use crate::access::Caller;
use crate::api::OverTls;
use crate::api::error::ApiError;
use crate::handle::CoordinatorHandle;
use crate::tracking::{StoredFile, TrackingChange};
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tidemill_protocol::api::ErrorCode;
use tokio::io::AsyncWriteExt;

/// Longest part in bytes.
const PART_BYTES_MAX: u64 = 5 << 30;
/// Where a proxy says how it was spoken to.
const FORWARDED_SCHEME: &str = "x-forwarded-proto";

impl From<PartError> for Fault {
    fn from(error: PartError) -> Self {
        let message = error.to_string();
        match error {
            PartError::Unknown(_) => Self::missing(message),
            PartError::NoPart(_) | PartError::Missing(_) => Self::invalid(message),
            PartError::TooMany => ApiError::new(ErrorCode::TooManyRequests, message).into(),
            PartError::Io(error) => ApiError::internal(&error).into(),
        }
    }
}

/// A file that is to come in parts. Clients say its name on their disk, too, which is of no use here.
#[derive(Debug, Deserialize)]
pub(super) struct Create {
    path: String,
    #[serde(default)]
    num_parts: Option<Whole>,
}

/// The path of a file: the folder of the request and the last part of the file's name at the client.
fn whole_path(folder: &str, local: &str) -> String {
    let name = local.rsplit(['/', '\\']).next().unwrap_or(local);
    format!("{}/{name}", folder.trim_matches('/'))
}

/// Begins a file that comes in parts, and says where to send each.
#[utoipa::path(post, path = "/api/2.0/mlflow-artifacts/mpu/create/{*path}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("path" = String, Path)), request_body = Value, responses(
    (status = 200, description = "The upload's id, and the address and headers for each part.", body = Value),
    (status = 404, description = "The path belongs to no run and no model.", body = Value),
))]
pub(super) async fn create(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Extension(uploads): Extension<Uploads>,
    back: WayBack,
    Path(folder): Path<String>,
    Asked(asked): Asked<Create>,
) -> Result<Json<Value>, Fault> {
    let place = place(&handle, &whole_path(&folder, &asked.path)).await?;
    place.check_may_change(&caller)?;
    let Whole(count) = asked.num_parts.unwrap_or(Whole(1));
    let count = u32::try_from(count)
        .ok()
        .filter(|count| (1..=PARTS_MAX).contains(count));
    let count = count.ok_or_else(|| Fault::invalid(format!("`num_parts` may be 1 to {PARTS_MAX}")))?;
    let id = uuid::Uuid::from_bytes(random()?).simple().to_string();
    uploads.begin(&id, (place.path, caller.name().into_owned()), count)?;
    let WayBack { base, shown } = back;
    let with = shown.map_or_else(|| json!({}), |shown| json!({"Authorization": shown}));
    let credentials = (1..=count).map(|number| {
        let url = format!("{base}/api/2.0/mlflow-artifacts/mpu/part/{id}/{number}");
        json!({"url": url, "part_number": number, "headers": with})
    });
    let credentials: Vec<Value> = credentials.collect();
    Ok(Json(json!({"upload_id": id, "credentials": credentials})))
}

/// How the client comes back with the parts: to where it asks now, showing what it shows now.
pub(super) struct WayBack {
    base: String,
    shown: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for WayBack {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut RequestParts, _: &S) -> Result<Self, Fault> {
        let is_tls = parts.extensions.get::<OverTls>().is_some();
        let shown = parts.headers.get(header::AUTHORIZATION);
        Ok(Self {
            base: base(&parts.headers, is_tls)?,
            shown: shown.and_then(|shown| shown.to_str().ok()).map(str::to_owned),
        })
    }
}

/// Where the client asks, as it says itself, and as a proxy before us says.
fn base(headers: &HeaderMap, is_tls: bool) -> Result<String, Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST.as_str());
    let host = host.ok_or_else(|| Fault::invalid("the request names no `Host`"))?;
    let scheme = match text(FORWARDED_SCHEME) {
        Some("https") => "https",
        _ if is_tls => "https",
        _ => "http",
    };
    Ok(format!("{scheme}://{host}"))
}

/// Takes a part: the body, byte for byte. A part that is sent again takes the place of the one before.
#[utoipa::path(put, path = "/api/2.0/mlflow-artifacts/mpu/part/{upload}/{number}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])),
    params(("upload" = String, Path), ("number" = u32, Path)), request_body(content_type = "application/octet-stream", description = "The bytes."), responses(
    (status = 200, description = "It is here; `ETag` names it."),
    (status = 404, description = "There is no such upload of this sender.", body = Value),
))]
pub(super) async fn put(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Extension(uploads): Extension<Uploads>,
    Path((upload, number)): Path<(String, u32)>,
    body: Body,
) -> Result<Response, Fault> {
    let by = caller.name().into_owned();
    uploads.check(&upload, &by, number)?;
    let part = take_in(&handle, body).await?;
    let etag = part.etag.clone();
    uploads.keep(&upload, &by, number, part)?;
    Ok((StatusCode::OK, [(header::ETAG, etag)]).into_response())
}

async fn take_in(handle: &CoordinatorHandle, body: Body) -> Result<Part, Fault> {
    let failed = |error: std::io::Error| ApiError::internal(&error);
    let file = tempfile::NamedTempFile::new_in(&handle.inner.uploads).map_err(failed)?;
    let mut writer = tokio::fs::File::create(file.path()).await.map_err(failed)?;
    let (mut pieces, mut length, mut sum) = (body.into_data_stream(), 0, crc32fast::Hasher::new());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Fault::invalid(format!("the upload broke off: {error}")))?;
        length += piece.len() as u64;
        if length > PART_BYTES_MAX {
            let message = format!("a part may have at most {PART_BYTES_MAX} bytes");
            return Err(ApiError::new(ErrorCode::TooLarge, message).into());
        }
        sum.update(&piece);
        writer.write_all(&piece).await.map_err(failed)?;
    }
    writer.flush().await.map_err(failed)?;
    let etag = format!("\"{length}-{:08x}\"", sum.finalize());
    Ok(Part { file, etag })
}

/// A part that came.
#[derive(Debug, Deserialize)]
struct Came {
    part_number: Whole,
    #[serde(default)]
    etag: Option<String>,
}

/// All parts of a file.
#[derive(Debug, Deserialize)]
pub(super) struct Complete {
    path: String,
    upload_id: String,
    #[serde(default)]
    parts: Vec<Came>,
}

/// Puts the parts of a file together and logs it.
#[utoipa::path(post, path = "/api/2.0/mlflow-artifacts/mpu/complete/{*path}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("path" = String, Path)), request_body = Value, responses(
    (status = 200, description = "It is stored.", body = Value),
    (status = 400, description = "A part is missing, or is another.", body = Value),
    (status = 404, description = "There is no such upload of this sender.", body = Value),
))]
pub(super) async fn complete(
    State(handle): State<CoordinatorHandle>,
    Extension(caller): Extension<Caller>,
    Extension(uploads): Extension<Uploads>,
    Path(folder): Path<String>,
    Asked(asked): Asked<Complete>,
) -> Result<Json<Value>, Fault> {
    let place = place(&handle, &whole_path(&folder, &asked.path)).await?;
    place.check_may_change(&caller)?;
    let named = asked.parts.into_iter().filter_map(|part| {
        let number = u32::try_from(part.part_number.0).ok()?;
        Some((number, part.etag.unwrap_or_default()))
    });
    let named: BTreeMap<u32, String> = named.collect();
    let parts = uploads.finish(&asked.upload_id, (&place.path, &caller.name()), &named)?;
    let folder = handle.inner.uploads.clone();
    let joining = tokio::task::spawn_blocking(move || put_together(parts, &folder));
    let whole = joining
        .await
        .map_err(|error| ApiError::internal(&std::io::Error::other(error)))??;
    let stored = handle.inner.store.put_file(whole.path()).await?;
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

/// A file that does not come after all.
#[derive(Debug, Deserialize)]
pub(super) struct Abort {
    upload_id: String,
}

/// Gives up a file that comes in parts; what came of it is removed.
#[utoipa::path(post, path = "/api/2.0/mlflow-artifacts/mpu/abort/{*path}", tag = "mlflow", security(("token" = ["submitter"]), ("attempt" = [])), params(("path" = String, Path)), request_body = Value, responses(
    (status = 200, description = "Nothing of it is left.", body = Value),
))]
pub(super) async fn abort(
    Extension(caller): Extension<Caller>,
    Extension(uploads): Extension<Uploads>,
    Path(_folder): Path<String>,
    Asked(asked): Asked<Abort>,
) -> Json<Value> {
    uploads.give_up(&asked.upload_id, &caller.name());
    Json(json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_by_its_name_at_the_client_and_not_by_where_it_lies_there() {
        assert_eq!(
            whole_path("/7/run/artifacts/", "/tmp/x/model.bin"),
            "7/run/artifacts/model.bin"
        );
        assert_eq!(
            whole_path("7/run/artifacts", "C:\\x\\model.bin"),
            "7/run/artifacts/model.bin"
        );
        assert_eq!(
            whole_path("7/run/artifacts", "model.bin"),
            "7/run/artifacts/model.bin"
        );
    }

    #[test]
    fn parts_go_where_the_client_asked() {
        let mut headers = HeaderMap::new();
        assert!(base(&headers, false).is_err());
        headers.insert(header::HOST, "mill:7470".parse().unwrap());
        assert_eq!(base(&headers, false).unwrap(), "http://mill:7470");
        assert_eq!(base(&headers, true).unwrap(), "https://mill:7470");
        headers.insert(FORWARDED_SCHEME, "https".parse().unwrap());
        assert_eq!(base(&headers, false).unwrap(), "https://mill:7470");
    }
}
