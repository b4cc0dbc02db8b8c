//! What workers tell the coordinator: reports, which change state and are kept on the worker's disk until the coordinator has them durably,
//! and heartbeats, which may be lost.

use crate::artifact::ArtifactRef;
use crate::compute::ComputeTarget;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ids::{AttemptId, FencingToken, WorkerId};
use crate::name::PortName;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Several reports of one worker in one message, numbered so that the coordinator can say up to which it has stored them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBatch {
    /// The worker.
    pub worker: WorkerId,
    /// Distinguishes this start of the daemon from others: sequence numbers restart with it.
    pub incarnation: u64,
    /// The sequence number of the first report; the others follow without gaps.
    pub first_sequence: u64,
    /// The reports, oldest first.
    pub reports: Vec<Report>,
}

/// What happened to one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The attempt.
    pub attempt: AttemptId,
    /// The token of the task that the worker holds.
    pub token: FencingToken,
    /// The worker's wall clock, for display only.
    pub at: Timestamp,
    /// What happened.
    pub body: ReportBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum ReportBody {
    /// The worker has taken the task and will work on it.
    Claimed,
    /// The attempt has reached this phase. Shown, not stored.
    Progress {
        /// The phase.
        phase: Phase,
    },
    /// The attempt ended well and its outputs are in the store.
    Succeeded(Success),
    /// The attempt ended badly.
    Failed {
        /// Why.
        failure: Failure,
        /// What it used.
        usage: AttemptUsage,
    },
    /// The worker gives the task back unstarted (it drains, or cannot serve it after all).
    Returned,
    /// The attempt was stopped because the coordinator said so; nothing was committed.
    Stopped {
        /// What it used.
        usage: AttemptUsage,
    },
    /// The attempt saved something for the next one, and it is in the store.
    Checkpointed {
        /// The folder's content.
        checkpoint: ArtifactRef,
    },
    /// The attempt was stopped because the worker's machine is about to be taken away; it is to be made elsewhere, and costs the step none of its retries.
    Preempted {
        /// What it used.
        usage: AttemptUsage,
    },
    /// A report of a newer worker.
    #[serde(other)]
    Unknown,
}

/// A good end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    /// The outputs by name.
    #[serde(default)]
    pub outputs: BTreeMap<PortName, ArtifactRef>,
    /// Digest of the attempt's manifest in the store; none when it has no outputs.
    #[serde(default)]
    pub manifest: Option<Digest>,
    /// What it used.
    #[serde(default)]
    pub usage: AttemptUsage,
}

/// What an attempt used and left behind besides its outputs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptUsage {
    /// When the process started, by the worker's wall clock.
    pub started_at: Option<Timestamp>,
    /// How long the process ran.
    pub process_ms: u64,
    /// How long environment and inputs took.
    pub preparing_ms: u64,
    /// How long collecting and storing outputs took.
    pub storing_ms: u64,
    /// Largest resident memory of the process, if known.
    pub memory_peak_bytes: Option<u64>,
    /// The whole standard output, if there was any.
    pub stdout: Option<ArtifactRef>,
    /// The whole standard error, if there was any.
    pub stderr: Option<ArtifactRef>,
    /// Where input modes or environments could not be honoured to the letter, what was done instead; what was fetched from an address.
    pub notes: Vec<String>,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its environment is being built.
    Environment,
    /// Its inputs are being brought.
    Staging,
    /// Its process runs.
    Running,
    /// Its outputs are being stored.
    Storing,
}

/// A sign of life, sent every few seconds. Renews the lease of every attempt that it lists; not stored, may be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The worker.
    pub worker: WorkerId,
    /// As in [`ReportBatch`].
    pub incarnation: u64,
    /// What it offers.
    pub offer: Offer,
    /// What it works on.
    pub running: Vec<RunningAttempt>,
}

/// What a worker offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The compute targets that it serves.
    pub targets: Vec<ComputeTarget>,
    /// How many attempts it makes at once.
    pub slots: u32,
    /// Processor cores.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// GPU devices by name.
    pub gpus: Vec<String>,
    /// Its host's name.
    pub host: String,
    /// Its version of tidemill.
    pub version: String,
    /// Whether it takes nothing new.
    pub draining: bool,
    /// Whether it takes nothing new because its disk is nearly full.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_full: bool,
}

impl Offer {
    /// Whether new tasks may go to it.
    pub fn takes_tasks(&self) -> bool {
        !self.draining && !self.disk_full
    }
}

/// An attempt that a worker works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// The token that the worker holds.
    pub token: FencingToken,
    /// How far it has come.
    pub phase: Phase,
}
