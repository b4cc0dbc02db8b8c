//! The audit log over the API: entries that fit a question, and the whole of it as it stands in the files.

use super::error::ApiError;
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

/// Entries of a page, when nobody says and at most.
const PAGE_DEFAULT: usize = 200;
const PAGE_MAX: usize = 2_000;

/// Which entries to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditListQuery {
    /// Only entries with a larger number: the `next_cursor` of the page before.
    cursor: Option<u64>,
    /// Only entries from this moment on, in milliseconds since 1970.
    since: Option<u64>,
    /// Only entries of this subject, or of the token with this id.
    who: Option<String>,
    /// Only entries with this decision: admitted, accepted, refused or failed.
    decision: Option<AuditDecision>,
    /// How many, at most 2,000; 200 when absent.
    limit: Option<usize>,
}

/// Lists entries of the audit log, oldest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", security(("token" = ["admin"])), params(AuditListQuery), responses(
    (status = 200, description = "One page.", body = Page<AuditEntry>),
))]
pub(super) async fn list(
    State(handle): State<CoordinatorHandle>,
    Query(query): Query<AuditListQuery>,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let wanted = AuditQuery {
        after: query.cursor.unwrap_or(0),
        since: query.since.map(Timestamp),
        who: query.who,
        decision: query.decision,
        limit: limit + 1,
    };
    let dir = handle.inner.audit_dir.clone();
    let found = blocking(move || audit::read(&dir, &wanted)).await;
    let mut items = found.map_err(|error| ApiError::internal(&error))?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|entry| entry.sequence.to_string());
    Ok(Json(Page { items, next_cursor }))
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
