//! What every answer says to a browser that shows it: take it for what it says it is, and run nothing. What steps wrote is brought to a file, whoever opens the address: a page
//! among a run's outputs would otherwise speak in the name of this service.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// For bytes of which nobody knows what they are.
const UNKNOWN: &str = "application/octet-stream";
/// Nothing is loaded, run, sent or framed. The pages of this service have one of their own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox",
);

/// Sets them, where the answer itself does not say otherwise.
pub(super) async fn set(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    add(response.headers_mut());
    response
}

fn add(headers: &mut HeaderMap) {
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(POLICY);
    let is_unknown = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes() == UNKNOWN.as_bytes());
    if is_unknown {
        headers
            .entry(header::CONTENT_DISPOSITION)
            .or_insert(HeaderValue::from_static("attachment"));
    }
}
