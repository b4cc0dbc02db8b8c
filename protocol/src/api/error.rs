//! The one body of every refusal and failure.

use super::Problem;
use serde::{Deserialize, Serialize};

/// Stable words that programs can act on. Each has a page in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The request itself is malformed (400).
    BadRequest,
    /// The pipeline, or the parameters given to it, are not valid (422); `problems` lists every one.
    InvalidPipeline,
    /// No such resource (404).
    NotFound,
    /// An id prefix fits several resources (409).
    Ambiguous,
    /// The resource's state does not allow it (409).
    Conflict,
    /// The request needs a token, or the one it shows is not good (401).
    Unauthorized,
    /// The request needs a right that the caller lacks (403).
    Forbidden,
    /// Too much of this came from the same address (429); `Retry-After` says when to come back.
    TooManyRequests,
    /// The body is larger than allowed (413).
    TooLarge,
    /// The bytes do not have the digest they were announced with (422).
    DigestMismatch,
    /// The idempotency key was used for another request (422).
    KeyReused,
    /// The resource changed since the revision that the request names (412).
    PreconditionFailed,
    /// The file ends before the range of bytes that was asked for (416).
    RangeNotSatisfiable,
    /// The coordinator cannot take it now: it is full, starting or stopping (503).
    Unavailable,
    /// The coordinator keeps what room its disk has for the runs that it already has (507).
    DiskFull,
    /// A fault of the coordinator's (500).
    Internal,
    /// A code of a newer coordinator.
    #[serde(other)]
    Unknown,
}

/// The one body of every refusal and failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ErrorBody {
    /// What programs act on.
    pub code: ErrorCode,
    /// What people read: lower case, no full stop.
    pub message: String,
    /// What to do next, if there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Every problem of a pipeline that was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Names the request in the coordinator's log.
    #[serde(default)]
    pub request_id: String,
}
