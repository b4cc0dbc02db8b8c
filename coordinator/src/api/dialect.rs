//! In which words a refusal is written: ours, and for the paths that clients of MLflow ask, theirs beside them.

use tidemill_protocol::api::{ErrorBody, ErrorCode};

/// What MLflow's clients call a refusal, where that is more exact than our own code for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TheirCode(pub(super) &'static str);

/// Whether whoever asks for this path speaks MLflow's protocol.
pub(super) fn is_theirs(path: &str) -> bool {
    path.starts_with("/api/2.0/mlflow") || path.starts_with("/api/3.0/mlflow")
}

/// The body of a refusal with MLflow's words beside ours.
pub(super) fn in_their_words(error: &ErrorBody, code: Option<TheirCode>) -> Vec<u8> {
    let TheirCode(code) = code.unwrap_or(TheirCode(match error.code {
        ErrorCode::NotFound => "RESOURCE_DOES_NOT_EXIST",
        ErrorCode::Unauthorized => "UNAUTHENTICATED",
        ErrorCode::Forbidden => "PERMISSION_DENIED",
        ErrorCode::TooManyRequests => "REQUEST_LIMIT_EXCEEDED",
        ErrorCode::Unavailable | ErrorCode::DiskFull => "TEMPORARILY_UNAVAILABLE",
        ErrorCode::Internal => "INTERNAL_ERROR",
        _ => "INVALID_PARAMETER_VALUE",
    }));
    let mut body = serde_json::to_value(error).expect("an error body is plain data");
    if let Some(fields) = body.as_object_mut() {
        fields.insert("error_code".to_owned(), code.into());
        // Their clients show nothing else.
        if let Some(hint) = &error.hint {
            fields.insert("message".to_owned(), format!("{}; {hint}", error.message).into());
        }
    }
    body.to_string().into_bytes()
}
