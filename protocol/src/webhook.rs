//! The words of webhooks: which ends of runs and steps are told to which address, and what became of each telling. Kept in the journal, so readable for ever.

use crate::name::Name;
use crate::status::{RunStatus, StepStatus};
use crate::time::Timestamp;
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
}

fn every_end() -> Vec<RunStatus> {
    let all = RunStatus::ALL.iter().copied();
    all.filter(|status| status.is_terminal()).collect()
}

/// What became of one telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Delivery {
    /// The number of the journal's event that was told.
    pub sequence: u64,
    /// What was told: `run_ended` or `step_ended`, and of what.
    pub about: String,
    /// When it was settled.
    pub at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What came of it.
    pub outcome: DeliveryOutcome,
}

/// What came of a telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryOutcome {
    /// The address took it.
    Delivered {
        /// What it answered.
        status: u16,
    },
    /// It was given up.
    GivenUp {
        /// Why.
        why: String,
    },
}
