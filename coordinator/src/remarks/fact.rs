//! What was said of runs: the facts that stand in the journal. Their meaning never changes; a new kind is a new variant.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tidemill_protocol::ids::RunId;

/// What was said of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RemarkFact {
    /// Its name, its text or its tags are others from now on. What is absent stays.
    RunDescribed {
        /// The run.
        run: RunId,
        /// What people call it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// Free text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Tags that were set, or with none removed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tags: BTreeMap<String, Option<String>>,
        /// Who said so.
        by: String,
    },
    /// Somebody commented on it.
    RunCommented {
        /// The run.
        run: RunId,
        /// The comment's number in the run.
        comment: u32,
        /// The comment.
        text: String,
        /// Who.
        by: String,
    },
    /// A comment has another text.
    CommentEdited {
        /// The run.
        run: RunId,
        /// The comment's number.
        comment: u32,
        /// What it says now.
        text: String,
        /// Who changed it.
        by: String,
    },
    /// A comment was removed.
    CommentRemoved {
        /// The run.
        run: RunId,
        /// The comment's number.
        comment: u32,
        /// Who removed it.
        by: String,
    },
    /// The run was forgotten, and with it all that was said of it.
    RemarksForgotten {
        /// The run.
        run: RunId,
    },
}

impl RemarkFact {
    /// The run that it is about.
    pub const fn run(&self) -> RunId {
        match self {
            Self::RunDescribed { run, .. }
            | Self::RunCommented { run, .. }
            | Self::CommentEdited { run, .. }
            | Self::CommentRemoved { run, .. }
            | Self::RemarksForgotten { run } => *run,
        }
    }
}
