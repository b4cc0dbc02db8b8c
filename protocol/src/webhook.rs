//! The words of webhooks: which ends of runs and steps are told to which address. Kept in the journal, so readable for ever.

use crate::delivery::every_end;
use crate::name::Name;
use crate::status::{RunStatus, StepStatus};
use serde::{Deserialize, Serialize};

/// What is told to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// The address, `https://…` or `http://…`.
    pub url: String,
    /// The secret with which what is sent is signed.
    pub secret: Name,
    /// Ends of runs that are told; all of them when absent, none when empty.
    #[serde(default = "every_end")]
    pub runs: Vec<RunStatus>,
    /// Ends of steps that are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepStatus>,
    /// Of this pipeline only: its own name, or that under which it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Name>,
    /// Of this experiment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Name>,
}
