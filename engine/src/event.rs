//! Every fact that can change the engine's state: the journal's language. The meaning of a variant never changes; new facts are new variants.
//!
//! What follows from other events without a choice (a step became ready because the last one before it ended) is not an event: `apply` derives it.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::Failure;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex, StepRef, WorkerId};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{Plan, PlannedStep, StepTemplate};
use tidemill_protocol::project::Quota;
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{AttemptUsage, Success};

/// A fact with its moment (the coordinator's wall clock when it was decided; for display and for alarms, never for leases).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub fact: Fact,
}

/// What happened.
// Externally tagged: an internal tag would make the reader buffer a whole plan before it knows what it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A new incarnation of the coordinator has begun.
    EpochStarted {
        /// Its epoch.
        epoch: u64,
    },
    /// A run was accepted.
    RunSubmitted {
        /// The run.
        run: RunId,
        /// Its plan.
        plan: Arc<Plan>,
        /// Who asked.
        submitted_by: String,
        /// See [`crate::Command::SubmitRun`].
        idempotency_key: Option<String>,
    },
    /// A project's quota is another from now on.
    QuotaSet {
        /// The project.
        project: Name,
        /// Its bounds; one that bounds nothing takes the quota away.
        quota: Quota,
    },
    /// Steps were appended to a run.
    StepsAdded {
        /// The run.
        run: RunId,
        /// Templates appended to the plan's.
        templates: Vec<Arc<StepTemplate>>,
        /// Steps appended to the plan's.
        steps: Vec<PlannedStep>,
    },
    /// A person asked to end a run.
    RunCancelRequested {
        /// The run.
        run: RunId,
        /// Who asked.
        by: String,
    },
    /// A step failed in a run that stops at the first failure: what has not ended is given up.
    RunStopRequested {
        /// The run.
        run: RunId,
        /// The step that failed.
        cause: StepIndex,
    },
    /// A person asked to give the steps that did not end well another chance.
    RunRetried {
        /// The run.
        run: RunId,
        /// Who asked.
        by: String,
    },
    /// The last step of a run became terminal.
    RunFinished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
    /// A terminal run was forgotten.
    RunForgotten {
        /// The run.
        run: RunId,
    },
    /// An artifact turned out to be damaged or gone in the store: results that hold it are taken over no more.
    ArtifactLost {
        /// The artifact.
        artifact: ArtifactRef,
    },
    /// A step took over a committed result.
    StepReused {
        /// The step.
        step: StepRef,
        /// Its key.
        key: StepKey,
        /// The step whose result it is.
        source: StepRef,
        /// The result itself, so that this fact stands alone.
        result: Arc<Success>,
    },
    /// A step waits for another that computes the same at this moment.
    StepFollows {
        /// The step.
        step: StepRef,
        /// Their key.
        key: StepKey,
        /// The step that executes.
        leader: StepRef,
    },
    /// A step was given up before it ran, because of how a step before it ended.
    StepSkipped {
        /// The step.
        step: StepRef,
        /// A step before it whose end is the reason.
        cause: StepIndex,
    },
    /// A step that had no running attempt was ended with its run.
    StepEnded {
        /// The step.
        step: StepRef,
        /// Whether a person (cancelled) or the system (aborted) ended it.
        by_person: bool,
    },
    /// A step failed without an attempt: nobody can execute its kind.
    StepFailed {
        /// The step.
        step: StepRef,
        /// Why.
        failure: Failure,
    },
    /// An attempt was made out; its task is to be published.
    AttemptDispatched {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// Its key.
        key: StepKey,
    },
    /// A worker took the task.
    AttemptClaimed {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// The worker.
        worker: WorkerId,
    },
    /// A worker turned out to be at an attempt that was given up because nothing was heard of it, before a replacement was claimed: it keeps the
    /// attempt.
    AttemptResumed {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// The worker.
        worker: WorkerId,
        /// The number of the unclaimed replacement, which is void with this.
        withdrawn: Option<u32>,
    },
    /// An attempt saved something for the next one.
    CheckpointSaved {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// The content of the folder.
        checkpoint: ArtifactRef,
    },
    /// The attempt was stopped because its worker's machine was about to be taken away; the step is ready again and no retry is used up.
    AttemptPreempted {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// What it used.
        usage: AttemptUsage,
    },
    /// The attempt's result was committed: from here on it is the step's result.
    AttemptSucceeded {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// The worker that made it.
        worker: WorkerId,
        /// The result.
        success: Arc<Success>,
    },
    /// The attempt ended badly.
    AttemptFailed {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// Why.
        failure: Failure,
        /// What it used.
        usage: AttemptUsage,
        /// When the next attempt is due; none when there is to be none.
        retry_at: Option<Timestamp>,
    },
    /// The attempt was given back unstarted; the step is ready again and no retry is used up.
    AttemptReturned {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
    },
    /// The attempt was stopped with its run.
    AttemptStopped {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
        /// Whether a person (cancelled) or the system (aborted) ended it.
        by_person: bool,
        /// What it used, where a worker said so.
        usage: AttemptUsage,
    },
    /// The pause before a step's next attempt is over.
    StepRetryDue {
        /// The step.
        step: StepRef,
    },
}
