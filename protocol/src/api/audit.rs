//! The audit log as it is read: one entry for each change that was asked for, each that was refused, and each attempt to get in without a right.

use crate::digest::Digest;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One entry. It stands in the log as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Its number, from 1, without a gap.
    pub sequence: u64,
    /// When.
    #[schema(value_type = u64)]
    pub at: Timestamp,
    /// What came of it.
    pub decision: AuditDecision,
    /// Of an outcome: the entry that said that the change was about to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// Who asked: a token's subject, or the word for those who need none.
    pub who: String,
    /// The token that was shown, by its public name; that there is one of this name is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// From which address; `in process` for a command on the state folder itself.
    pub from: String,
    /// The method of the request.
    pub method: String,
    /// The route as the API's description writes it; none for a path that it does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The resources, by the names that the route gives them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ids: BTreeMap<String, String>,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it was refused, or did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Of a summary: for how many further requests it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The BLAKE3 hash of the line before.
    #[schema(value_type = String)]
    pub previous: Digest,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditDecision {
    /// The change is allowed and about to be made; written before it is.
    Admitted,
    /// The change was made.
    Accepted,
    /// Nothing was changed, for the reason given.
    Refused,
    /// It did not succeed for a reason of ours, or the caller left before the answer; perhaps it was made.
    Failed,
    /// A word of a newer coordinator.
    #[serde(other)]
    Unknown,
}

impl AuditDecision {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}
