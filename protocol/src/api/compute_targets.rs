//! Compute targets over REST: each with its queue and the workers that serve it, which are the views of those resources and nothing beside them.

use super::queues::QueueView;
use super::workers::WorkerView;
use crate::name::Name;
use serde::{Deserialize, Serialize};

/// A compute target: one that steps wait for or run on, or that a worker serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComputeTargetView {
    /// The name that steps ask for.
    pub name: Name,
    /// What kind of machine it is, as its workers say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute_type: Option<Name>,
    /// Slots of its live workers that nothing occupies. A worker that serves several targets offers the same slot to each.
    pub slots_free: u32,
    /// Its queue: what waits and runs, with the live workers and their slots.
    pub queue: QueueView,
    /// The workers that serve it, also those that take nothing now: their status says why.
    #[serde(default)]
    pub workers: Vec<WorkerView>,
}
