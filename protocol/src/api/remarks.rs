//! What people say of runs over REST: names, text and tags after the submission, comments, and who did what.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Changes what people call a run, say of it, or tag it with. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribeRunRequest {
    /// What people call it, 1 to 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Free text, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags to set, or to remove with `null`. Names that begin with `tidemill.` are tidemill's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Option<String>>,
}

/// Comments on a run, or gives a comment another text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommentRequest {
    /// What to say, at most 16 KiB.
    pub text: String,
}

/// A comment on a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CommentView {
    /// Its number in the run; none is given twice.
    pub number: u32,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What it says.
    pub text: String,
    /// When it was last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
}

/// What somebody did to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ActivityView {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub what: RunAct,
    /// To what, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// What people do to runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunAct {
    /// Submit it.
    Submitted,
    /// End it.
    Cancelled,
    /// Give its steps another chance.
    Retried,
    /// Change its name, text or tags.
    Described,
    /// Comment on it.
    Commented,
    /// Give a comment another text.
    CommentEdited,
    /// Remove a comment.
    CommentRemoved,
    /// A word of a newer coordinator.
    #[serde(other)]
    Unknown,
}

impl RunAct {
    /// What they did, in words: `ada …`.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Submitted => "submitted it",
            Self::Cancelled => "cancelled it",
            Self::Retried => "retried it",
            Self::Described => "changed",
            Self::Commented => "commented",
            Self::CommentEdited => "edited comment",
            Self::CommentRemoved => "removed comment",
            Self::Unknown => "did something",
        }
    }
}
