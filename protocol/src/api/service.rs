//! The coordinator itself, and problems found in pipelines.

use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CoordinatorView {
    /// Its version of tidemill.
    pub version: String,
    /// Its epoch.
    pub epoch: u64,
    /// The public key with which it signs tasks: what `tidemill worker start --coordinator-key` takes.
    pub public_key: String,
    /// The object store in which artifacts are, without credentials.
    pub store_url: String,
    /// The broker, without credentials.
    pub broker_url: String,
    /// When it started.
    pub started_at: Timestamp,
    /// The copy of its journal in the object store; none when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveView>,
}

/// How far the copy of the journal in the object store has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ArchiveView {
    /// `sync` when answers wait for it, `async` when it follows.
    pub mode: String,
    /// Events that it lacks.
    pub lag_events: u64,
    /// For how long it has lacked some.
    pub lag_ms: u64,
}

/// Something wrong, or worth knowing, in a pipeline file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// Stable code, e.g. `TM0104`.
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The file, if it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Which step or field, e.g. `jobs.train.inputs.data`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
}
