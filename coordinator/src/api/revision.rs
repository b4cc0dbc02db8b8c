//! Revisions of what may change, as `ETag`, `If-Match` and `If-None-Match`: how a caller changes only what nobody changed meanwhile.

use super::error::ApiError;
use axum::http::{HeaderMap, HeaderValue, header};
use tidemill_protocol::api::ErrorCode;

/// How a revision is spelled as a tag of an answer.
pub(super) fn etag(revision: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{revision}\"")).expect("a number in quotes is a header's value")
}

/// The revision that the caller has seen.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.trim_matches('"').parse().map_err(|_| {
        ApiError::new(
            ErrorCode::BadRequest,
            "`If-Match` takes the `ETag` of an earlier answer",
        )
    })?;
    Ok(Some(number))
}

/// Whether the resource must not be there yet.
pub(super) fn must_be_new(headers: &HeaderMap) -> bool {
    headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value == "*")
}
