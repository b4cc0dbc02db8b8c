//! Sweeping the store: what is asked, and what came of it.

use crate::time::Millis;
use serde::{Deserialize, Serialize};

/// How to sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SweepRequest {
    /// What is younger stays: milliseconds, at least an hour's; seven days when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub older_than: Option<Millis>,
    /// Whether to count only.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether to sweep although other coordinators have kept records in this store. What only they name is deleted.
    #[serde(default)]
    pub ignore_others: bool,
    /// Whether to sweep although the coordinator was started so lately that it does not know what clients asked for before. What they found in the store then, and have not named yet, may be
    /// deleted.
    #[serde(default)]
    pub ignore_restart: bool,
}

/// What a sweep found, and deleted unless it was a dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SweepView {
    /// Objects that something names.
    pub kept: u64,
    /// Objects that nothing names and that are too young, or that somebody is about to name.
    pub young: u64,
    /// Objects that nothing names: deleted, or to be deleted.
    pub deleted: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Why the sweep did not come to its end; the figures are not known then, and another sweep goes on with what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
