//! How much of the large bodies is in memory at once. A submission waits for its share before its body is read, and is sent away when that takes too long.
//! How large one body may be is in the list of routes; how slowly it may come is a limit of the server.

use super::SUBMISSION_BYTES_MAX;
use super::error::ApiError;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Body as _;
use std::sync::Arc;
use std::time::Duration;
use tidemill_protocol::api::ErrorCode;
use tidemill_protocol::time::Millis;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What one share stands for: even an empty body costs this much.
const SHARE_BYTES: usize = 64 * 1024;
/// All shares: four bodies of the greatest length, or thousands of usual ones.
const SHARES: usize = 4 * SUBMISSION_BYTES_MAX / SHARE_BYTES;
/// How long a request waits for its share.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// When to come back.
const RETRY_AFTER: Millis = Millis::from_secs(5);

/// The shares that are free.
#[derive(Debug, Clone)]
pub(super) struct Bodies(Arc<Semaphore>);

impl Bodies {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(SHARES)))
    }
}

/// Lets a request with a body go on once there is room for it. One that does not say how long it is may be as long as any.
pub(super) async fn wait_for_room(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let bytes = request.body().size_hint().upper();
    let acquired = timeout(WAIT_MAX, bodies.0.acquire_many(shares(bytes))).await;
    let Ok(Ok(_permit)) = acquired else {
        let message = "too much is being submitted at once";
        return ApiError::new(ErrorCode::Unavailable, message)
            .retry_after(RETRY_AFTER)
            .hint("nothing of this was kept; send it again in a few seconds")
            .into_response();
    };
    next.run(request).await
}

fn shares(bytes: Option<u64>) -> u32 {
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.unwrap_or(SUBMISSION_BYTES_MAX).min(SUBMISSION_BYTES_MAX);
    u32::try_from(bytes.div_ceil(SHARE_BYTES).max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_at_least_one_share_and_never_more_than_the_longest_may_have() {
        let longest = u32::try_from(SHARES / 4).unwrap();
        assert_eq!(shares(Some(0)), 1);
        assert_eq!(shares(Some(64 * 1024 + 1)), 2);
        assert_eq!(shares(Some(u64::MAX)), longest);
        assert_eq!(shares(None), longest);
    }
}
