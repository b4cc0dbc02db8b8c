//! Compute: what a step asks for and what a worker offers.

use crate::name::Name;
use serde::{Deserialize, Serialize};

/// What kind of machine serves a compute target: `cpu`, `gpu`, `spark`, `databricks`, `hdinsight`, or a word of the operator's own.
/// It describes; queues are matched by the target's name alone.
pub type ComputeType = Name;

/// The types that tidemill itself knows, the first being the default.
pub const COMPUTE_TYPES: [&str; 5] = ["cpu", "gpu", "spark", "databricks", "hdinsight"];

/// A named pool of workers. Maps to one queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ComputeTarget {
    /// The name that steps ask for.
    pub name: Name,
    /// What kind of machine it is.
    pub compute_type: ComputeType,
}

/// What one attempt of a step occupies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Resources {
    /// How many workers run the step together, at least 1. Members start together with rendezvous variables.
    pub instance_count: u32,
    /// Processor cores; 0 lets the worker decide (one slot).
    pub cpus: u32,
    /// Memory in bytes; 0 sets no limit.
    pub memory_bytes: u64,
    /// GPU devices; 0 asks for none.
    pub gpus: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            instance_count: 1,
            cpus: 0,
            memory_bytes: 0,
            gpus: 0,
        }
    }
}
