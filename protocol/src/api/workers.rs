//! Workers as the coordinator last heard of them.

use crate::api::QuarantineView;
use crate::compute::ComputeTarget;
use crate::ids::{RunId, StepPath, WorkerId};
use crate::time::Timestamp;
use crate::wire::Phase;
use serde::{Deserialize, Serialize};

/// One worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkerView {
    /// The worker.
    pub id: WorkerId,
    /// `quarantined` (nothing of it counts), `ready`, `full`, `draining`, `disk_full` (takes nothing new until there is room) or `silent` (no heartbeat for longer than its lease).
    pub status: String,
    /// Its host.
    pub host: String,
    /// Its version of tidemill.
    pub version: String,
    /// What it serves.
    pub targets: Vec<ComputeTarget>,
    /// How many attempts it makes at once.
    pub slots: u32,
    /// How many it makes now.
    pub slots_used: u32,
    /// Processor cores.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// GPU devices by name.
    #[serde(default)]
    pub gpus: Vec<String>,
    /// When it was last heard of.
    pub last_heard_at: Timestamp,
    /// What it works on.
    #[serde(default)]
    pub running: Vec<RunningAttemptView>,
    /// Whether it is known by a key of its own.
    #[serde(default)]
    pub enrolled: bool,
    /// Why and since when nothing of it counts; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<QuarantineView>,
}

/// An attempt that a worker works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RunningAttemptView {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepPath,
    /// Which try.
    pub attempt: u32,
    /// How far it has come.
    pub phase: Phase,
}
