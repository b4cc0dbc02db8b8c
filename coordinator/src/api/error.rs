//! Refusals and failures on their way out: the only place that chooses a status code, and the one body that all of them have.

use super::azure::error_body;
use super::dialect::{self, TheirCode};
use crate::error::{CommandError, Stopped};
use crate::handle::SubmitError;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tidemill_artifacts::StoreError;
use tidemill_engine::Rejection;
use tidemill_protocol::api::{ErrorBody, ErrorCode, Problem};
use tidemill_protocol::time::Millis;

/// The header that names a request.
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that a caller may choose.
const REQUEST_ID_BYTES_MAX: usize = 64;
/// Longest plain text of a layer's own refusal that is shown.
const TEXT_BYTES_MAX: usize = 4_096;

/// The name of a request.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

/// A refusal or failure with what the caller is told.
#[derive(Debug)]
pub(super) struct ApiError {
    code: ErrorCode,
    message: String,
    hint: Option<String>,
    problems: Vec<Problem>,
    retry_after: Option<Millis>,
    theirs: Option<TheirCode>,
}

impl ApiError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            problems: Vec::new(),
            theirs: None,
            retry_after: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same with when to come back.
    pub(super) fn retry_after(self, length: Millis) -> Self {
        Self {
            retry_after: Some(length),
            ..self
        }
    }

    /// A pipeline that is refused, with everything that is wrong with it.
    pub(super) fn invalid(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            ..Self::new(ErrorCode::InvalidPipeline, "the pipeline is not valid")
        }
    }

    /// A fault of ours: the cause is logged, not shown.
    pub(super) fn internal(cause: &dyn std::error::Error) -> Self {
        let mut text = cause.to_string();
        let mut source = cause.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        tracing::error!(cause = text, "a request failed");
        Self::new(
            ErrorCode::Internal,
            "the coordinator could not do this; its log says why",
        )
    }
}

const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadRequest => StatusCode::BAD_REQUEST,
        ErrorCode::InvalidPipeline | ErrorCode::DigestMismatch | ErrorCode::KeyReused => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Ambiguous | ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        ErrorCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn code_of(status: StatusCode) -> ErrorCode {
    match status {
        StatusCode::NOT_FOUND => ErrorCode::NotFound,
        StatusCode::UNAUTHORIZED => ErrorCode::Unauthorized,
        StatusCode::FORBIDDEN => ErrorCode::Forbidden,
        StatusCode::TOO_MANY_REQUESTS => ErrorCode::TooManyRequests,
        StatusCode::CONFLICT => ErrorCode::Conflict,
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        StatusCode::PRECONDITION_FAILED => ErrorCode::PreconditionFailed,
        StatusCode::RANGE_NOT_SATISFIABLE => ErrorCode::RangeNotSatisfiable,
        StatusCode::SERVICE_UNAVAILABLE => ErrorCode::Unavailable,
        status if status.is_client_error() => ErrorCode::BadRequest,
        _ => ErrorCode::Internal,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = status_of(self.code).into_response();
        let headers = response.headers_mut();
        if self.code == ErrorCode::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(length) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(length.0.div_ceil(1_000)));
        }
        if let Some(code) = self.theirs {
            response.extensions_mut().insert(code);
        }
        // The outermost layer knows the request's id and writes the body.
        response.extensions_mut().insert(ErrorBody {
            code: self.code,
            message: self.message,
            hint: self.hint,
            problems: self.problems,
            request_id: String::new(),
        });
        response
    }
}

impl From<Stopped> for ApiError {
    fn from(stopped: Stopped) -> Self {
        Self::new(ErrorCode::Unavailable, stopped.to_string())
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Stopped(stopped) => stopped.into(),
            CommandError::Rejected(rejection) => rejection.into(),
        }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let code = match &rejection {
            Rejection::UnknownRun => ErrorCode::NotFound,
            Rejection::UnsoundPlan(_) | Rejection::TooManySteps(_) => ErrorCode::InvalidPipeline,
            _ => ErrorCode::Conflict,
        };
        let error = Self::new(code, rejection.to_string());
        match rejection {
            Rejection::QueueFull { project, .. } => error.hint(format!(
                "wait until some begin or end, or ask for more: tidemill project show {project}"
            )),
            _ => error,
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Command(error) => error.into(),
            SubmitError::Unplannable => Self::new(
                ErrorCode::Internal,
                "the pipeline could not be planned; the log says why",
            ),
            SubmitError::TwoKeys => Self::new(
                ErrorCode::BadRequest,
                "the header `Idempotency-Key` and `idempotency_key` in the body differ",
            )
            .hint("give the key once, or the same key in both places"),
            SubmitError::DiskFull { free, reserve } => Self::new(
                ErrorCode::DiskFull,
                format!(
                    "the coordinator's disk is nearly full: {} MiB are free, {} MiB are kept for the runs that are there",
                    free >> 20,
                    reserve >> 20
                ),
            )
            .hint("ask an operator to make room on the disk of its state folder; nothing was lost, submit again then"),
            SubmitError::Invalid(problems) => Self::invalid(problems),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { .. } => Self::new(ErrorCode::NotFound, error.to_string()),
            StoreError::MissingBlob { .. } => {
                Self::new(ErrorCode::Conflict, error.to_string()).hint("upload its files first")
            }
            StoreError::TooLarge { .. } => Self::new(ErrorCode::TooLarge, error.to_string()),
            _ if error.is_retryable() => {
                tracing::warn!(%error, "the store failed");
                Self::new(ErrorCode::Unavailable, "the store does not answer")
            }
            _ => Self::internal(&error),
        }
    }
}

/// What is said of a path without a resource. MLflow's clients do without it then, where they can.
pub(super) fn no_such_resource() -> ApiError {
    ApiError {
        theirs: Some(TheirCode("ENDPOINT_NOT_FOUND")),
        ..ApiError::new(ErrorCode::NotFound, "there is no such resource")
            .hint("GET /api/v1/openapi.json lists them")
    }
}

/// What is said of a method that a resource does not have.
pub(super) fn no_such_method() -> ApiError {
    ApiError::new(ErrorCode::BadRequest, "the resource does not have this method")
}

/// The outermost layer: names the request, and gives every refusal and failure its body, also those that the layers below make themselves.
pub(super) async fn finish(mut request: Request, next: Next) -> Response {
    let chosen = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let id = chosen
        .filter(|id| id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), ToOwned::to_owned);
    tracing::debug!(id, method = %request.method(), path = request.uri().path(), "request");
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(RequestId(id.clone()));
    let is_theirs = dialect::is_theirs(request.uri().path());
    let mut response = next.run(request).await;
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        response = with_body(response, &id, (&path, is_theirs)).await;
        tracing::info!(id, status = status.as_u16(), "request refused or failed");
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    response
}

async fn with_body(response: Response, id: &str, (path, is_theirs): (&str, bool)) -> Response {
    let (mut parts, body) = response.into_parts();
    let mut error = match parts.extensions.remove::<ErrorBody>() {
        Some(error) => error,
        None => own_words(parts.status, body).await,
    };
    id.clone_into(&mut error.request_id);
    let bytes = if is_theirs {
        dialect::in_their_words(&error, parts.extensions.remove::<TheirCode>())
    } else {
        let ours = || serde_json::to_vec(&error).expect("an error body is plain data");
        error_body(path, &error).unwrap_or_else(ours)
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(bytes))
}

/// The body of a refusal that a layer made itself, in plain text.
async fn own_words(status: StatusCode, body: Body) -> ErrorBody {
    let bytes = to_bytes(body, TEXT_BYTES_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let message = match text.trim() {
        "" => status.canonical_reason().unwrap_or("refused").to_lowercase(),
        _ if status.is_server_error() => "the coordinator could not do this; its log says why".to_owned(),
        text => text.to_owned(),
    };
    ErrorBody {
        code: code_of(status),
        message,
        hint: None,
        problems: Vec::new(),
        request_id: String::new(),
    }
}
