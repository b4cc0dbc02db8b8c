//! The audit log over the API: entries that fit a question, and the whole of it as it stands in the files.

use super::error::ApiError;
use super::listing::{Asked, Key};
use crate::audit::{self, AuditQuery};
use crate::blocking::blocking;
use crate::handle::CoordinatorHandle;
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tidemill_protocol::api::{AuditDecision, AuditEntry, Page};
use tidemill_protocol::time::Timestamp;

/// Which entries to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditListQuery {
    /// Only entries from this moment on, in milliseconds since 1970.
    since: Option<u64>,
    /// Only entries of this subject, or of the token with this id.
    who: Option<String>,
    /// Only entries with this decision: admitted, accepted, refused or failed.
    decision: Option<AuditDecision>,
}

/// Lists entries of the audit log, oldest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", security(("token" = ["admin"])), params(AuditListQuery, Asked<AuditEntry>), responses(
    (status = 200, description = "One page.", body = Page<AuditEntry>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Query(query): Query<AuditListQuery>,
    mut asked: Asked<AuditEntry>,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    asked.resolve(|text| Some((Key::from(text.parse::<u64>().ok()?), Key::Nothing)))?;
    let wanted = AuditQuery {
        after: asked.after_number().unwrap_or(0),
        since: query.since.map(Timestamp),
        who: query.who,
        decision: query.decision,
        limit: asked.limit() + 1,
    };
    let dir = handle.inner.audit_dir.clone();
    let found = blocking(move || audit::read(&dir, &wanted)).await;
    let found = found.map_err(|error| ApiError::internal(&error))?;
    let numbered = found
        .into_iter()
        .map(|entry| ((Key::from(entry.sequence), Key::Nothing), entry));
    Ok(Json(asked.take(numbered)))
}

/// Hands out every entry that is kept, one JSON object to a line, byte for byte: what the hashes are made of.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "access", security(("token" = ["admin"])), responses(
    (status = 200, description = "The entries.", body = String, content_type = "application/x-ndjson"),
))]
pub(super) async fn export(State(handle): State<CoordinatorHandle>) -> Result<Response, ApiError> {
    let dir = handle.inner.audit_dir.clone();
    let lines = blocking(move || audit::export(&dir)).await;
    let lines = lines.map_err(|error| ApiError::internal(&error))?;
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}
