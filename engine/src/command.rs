//! What may be asked of the engine, and why it may refuse.

use crate::effect::{Alarm, Effect};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, WorkerId};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::name::{Name, PortName};
use tidemill_protocol::plan::{Plan, PlannedStep, StepTemplate};
use tidemill_protocol::project::Quota;
use tidemill_protocol::wire::{Report, StopReason};

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all commands are reports: a box for each would cost more than the room"
)]
pub enum Command {
    /// A new incarnation of the coordinator starts with this epoch (larger than any before).
    StartEpoch {
        /// The epoch.
        epoch: u64,
    },
    /// Accept a run.
    SubmitRun {
        /// Its id, minted by the shell.
        run: RunId,
        /// What to run.
        plan: Arc<Plan>,
        /// Who asks, for display and fair share.
        submitted_by: String,
        /// A second submission with the same key is answered with the first one's run.
        idempotency_key: Option<String>,
    },
    /// Append steps to a run that goes on: dynamic fan-out, sweeps, parallel steps.
    AddSteps {
        /// The run.
        run: RunId,
        /// Templates to append to the plan's; the new steps count from the first of the plan's own.
        templates: Vec<Arc<StepTemplate>>,
        /// The steps. Their edges may name old and new steps.
        steps: Vec<PlannedStep>,
    },
    /// A person ends a run.
    CancelRun {
        /// The run.
        run: RunId,
        /// Who asks.
        by: String,
    },
    /// Give the steps of a terminal run that did not end well another chance; what ended well stays.
    RetryRun {
        /// The run.
        run: RunId,
        /// Who asks.
        by: String,
    },
    /// What a worker says about an attempt.
    Report {
        /// The worker.
        worker: WorkerId,
        /// What it says.
        report: Report,
    },
    /// A worker that is heard of again still works on an attempt that was given up as lost.
    ResumeAttempt {
        /// The worker.
        worker: WorkerId,
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
    },
    /// The lease of an attempt ran out by the coordinator's clock.
    ExpireLease {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
    },
    /// The broker set the attempt's task aside.
    DeadLetter {
        /// The attempt.
        attempt: AttemptId,
        /// Its token.
        token: FencingToken,
    },
    /// A recovery found a committed result of which the journal does not know.
    AdoptResult(Box<FoundResult>),
    /// An artifact is damaged or gone in the store: whoever needs it must make it again. Changes nothing where no result that could be taken over holds it.
    LoseArtifact {
        /// The artifact.
        artifact: ArtifactRef,
    },
    /// Bound what a project may have at once, from now on. What is released already stays.
    SetQuota {
        /// The project.
        project: Name,
        /// Its bounds; one that bounds nothing takes the quota away.
        quota: Quota,
    },
    /// An alarm that the engine set is due.
    Alarm(Alarm),
    /// Forget a terminal run and, where nothing else keeps them, its results.
    ForgetRun {
        /// The run.
        run: RunId,
    },
}

/// A committed result that was found in the store: what an attempt's manifest says, and the digest of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundResult {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its token.
    pub token: FencingToken,
    /// What it computed.
    pub key: StepKey,
    /// The outputs by name.
    pub outputs: BTreeMap<PortName, ArtifactRef>,
    /// Digest of the manifest.
    pub manifest: Digest,
}

/// Why a command was not accepted. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No such run.
    #[error("no such run")]
    UnknownRun,
    /// The run id is taken.
    #[error("a run of this id exists")]
    RunExists,
    /// The same idempotency key was used before, for this run.
    #[error("this submission was accepted before as run {0}")]
    AlreadySubmitted(RunId),
    /// The run has ended.
    #[error("the run has ended")]
    RunEnded,
    /// The run has not ended.
    #[error("the run has not ended")]
    RunNotEnded,
    /// There is nothing in the run to retry.
    #[error("every step of the run ended well")]
    NothingToRetry,
    /// The plan breaks a rule of the engine's; the text says which.
    #[error("the plan is not sound: {0}")]
    UnsoundPlan(String),
    /// More steps than a run may have.
    #[error("a run may have at most {0} steps")]
    TooManySteps(usize),
    /// The project has as many runs that have not begun as it may have.
    #[error("the quota of project {project} is full: {limit} of its runs are queued")]
    QueueFull {
        /// The project.
        project: Name,
        /// How many it may have.
        limit: u32,
    },
    /// A quota names more compute targets than it may.
    #[error("a quota names at most {0} compute targets")]
    QuotaTooLong(usize),
    /// The report or expiry is about an attempt that is over, or held under another token. Normal after faults.
    #[error("the attempt is over or has another token")]
    Stale,
    /// As [`Self::Stale`], and the worker that reports is about to work, or works, on what is not its own: it must be told to stop
    /// (see [`Rejection::stop`]).
    #[error("the attempt is not this worker's to make")]
    Fenced {
        /// The worker to tell.
        worker: WorkerId,
        /// What it must stop.
        attempt: AttemptId,
        /// The token that it shows.
        token: FencingToken,
        /// What to tell it.
        reason: StopReason,
    },
    /// The report was written by a newer worker in words that this engine does not know.
    #[error("the report is of a kind that this version does not know")]
    UnknownReport,
    /// The run is being ended: it takes no new steps.
    #[error("the run is being ended")]
    RunEnding,
    /// The run was cancelled before and every step that could be ended is being ended.
    #[error("the run is being cancelled already")]
    AlreadyCancelling,
    /// A result that was found in the store must not become its step's; the text says why.
    #[error("{0}")]
    NotAdoptable(String),
    /// The epoch is not larger than the current one.
    #[error("the epoch must grow: it is {0} now")]
    OldEpoch(u64),
}

impl Rejection {
    /// What must be done although nothing changed: tell a worker to stop what is not its own. It rests on facts that may not be durable yet, so it is
    /// held like any other effect until the batch is.
    pub fn stop(&self) -> Option<Effect> {
        if let Self::Fenced {
            worker,
            attempt,
            token,
            reason,
        } = self
        {
            Some(Effect::StopAttempt {
                worker: worker.clone(),
                attempt: *attempt,
                token: *token,
                reason: *reason,
            })
        } else {
            None
        }
    }
}
