//! One try at a step: who made it, when, and how it ended. Its table:
//!
//! ```text
//! Dispatched --claimed by w-->                     Running(w)
//! Dispatched, Running --succeeded-->               Succeeded      terminal
//! Dispatched, Running --failed or lost-->          Failed, Lost   terminal
//! Dispatched, Running --given back-->              Returned       terminal
//! Dispatched, Running --its machine is taken away--> Preempted    terminal
//! Dispatched, Running --stopped with the run-->    Cancelled, Aborted   terminal
//! Dispatched --the lost one before it is back-->   Withdrawn      terminal
//! Lost(w)    --w is back in time-->                Running(w)     (the one way out of an end)
//! ```

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{FencingToken, WorkerId};
use tidemill_protocol::status::AttemptStatus;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{AttemptUsage, Success};

/// One try at a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    token: FencingToken,
    dispatched_at: Timestamp,
    claim: Option<Claim>,
    end: Option<End>,
}

/// A worker's taking of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The worker.
    pub worker: WorkerId,
    /// When its claim was accepted.
    pub at: Timestamp,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When it was accepted.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Its result was committed.
    Succeeded(Arc<Success>),
    /// It ended badly.
    Failed(Arc<FailedEnd>),
    /// It was given back unstarted.
    Returned,
    /// Its worker's machine was about to be taken away.
    Preempted(Arc<AttemptUsage>),
    /// Its task was taken back unclaimed, because the attempt that it was to replace turned out to live.
    Withdrawn,
    /// It was stopped with its run.
    Stopped {
        /// Whether a person ended it.
        by_person: bool,
        /// What it used.
        usage: Arc<AttemptUsage>,
    },
}

/// A bad end with what it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedEnd {
    /// Why.
    pub failure: Failure,
    /// What it used.
    pub usage: AttemptUsage,
}

impl FailedEnd {
    /// Whether nobody was there to tell of the end.
    fn is_lost(&self) -> bool {
        matches!(
            self.failure.reason,
            FailureReason::Lost | FailureReason::DeadLettered
        )
    }
}

impl Attempt {
    pub(crate) fn dispatched(token: FencingToken, at: Timestamp) -> Self {
        Self {
            token,
            dispatched_at: at,
            claim: None,
            end: None,
        }
    }

    pub(crate) fn claimed(&mut self, worker: WorkerId, at: Timestamp) {
        assert!(
            self.claim.is_none() && self.end.is_none(),
            "an attempt is claimed once, and before its end"
        );
        self.claim = Some(Claim { worker, at });
    }

    /// Its lease ran out, and its worker turned out to be at it still.
    pub(crate) fn resumed(&mut self) {
        assert!(
            self.is_unheard_of(),
            "only what was lost by silence is taken up again"
        );
        self.end = None;
    }

    pub(crate) fn ended(&mut self, at: Timestamp, outcome: Outcome) {
        assert!(self.end.is_none(), "an attempt ends once");
        self.end = Some(End { at, outcome });
    }

    /// Makes an equal result in memory the same one.
    pub(crate) fn share_success(&mut self, known: &Arc<Success>) {
        if let Some(End {
            outcome: Outcome::Succeeded(success),
            ..
        }) = &mut self.end
            && *success == *known
        {
            *success = Arc::clone(known);
        }
    }

    /// Its fencing token.
    pub const fn token(&self) -> FencingToken {
        self.token
    }

    /// When its task was made out.
    pub const fn dispatched_at(&self) -> Timestamp {
        self.dispatched_at
    }

    /// The worker's claim, once there is one. An attempt may end without one: the report of it may be lost.
    pub const fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// Its end, once it is terminal.
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Who makes or made it, as far as is known.
    pub fn worker(&self) -> Option<&WorkerId> {
        self.claim.as_ref().map(|claim| &claim.worker)
    }

    /// Whether its task was taken back unclaimed.
    pub fn is_withdrawn(&self) -> bool {
        matches!(&self.end, Some(end) if end.outcome == Outcome::Withdrawn)
    }

    /// Whether it was given up because nothing was heard of its worker, so that it may live. A worker that reports a loss says in its message how.
    pub(crate) fn is_unheard_of(&self) -> bool {
        self.claim.is_some()
            && self
                .failure()
                .is_some_and(|failure| failure.reason == FailureReason::Lost && failure.message.is_empty())
    }

    /// Why it ended badly, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.end.as_ref()?.outcome {
            Outcome::Failed(end) => Some(&end.failure),
            Outcome::Succeeded(_)
            | Outcome::Returned
            | Outcome::Withdrawn
            | Outcome::Preempted(_)
            | Outcome::Stopped { .. } => None,
        }
    }

    /// What it used, once it is terminal and a worker said so.
    pub fn usage(&self) -> Option<&AttemptUsage> {
        match &self.end.as_ref()?.outcome {
            Outcome::Succeeded(success) => Some(&success.usage),
            Outcome::Failed(end) => Some(&end.usage),
            Outcome::Stopped { usage, .. } | Outcome::Preempted(usage) => Some(usage),
            Outcome::Returned | Outcome::Withdrawn => None,
        }
    }

    /// The public word.
    pub fn status(&self) -> AttemptStatus {
        match (&self.end, &self.claim) {
            (None, None) => AttemptStatus::Dispatched,
            (None, Some(_)) => AttemptStatus::Running,
            (Some(end), _) => end.outcome.status(),
        }
    }
}

impl Outcome {
    fn status(&self) -> AttemptStatus {
        match self {
            Self::Succeeded(_) => AttemptStatus::Succeeded,
            Self::Failed(end) if end.is_lost() => AttemptStatus::Lost,
            Self::Failed(_) => AttemptStatus::Failed,
            Self::Returned => AttemptStatus::Returned,
            Self::Withdrawn => AttemptStatus::Withdrawn,
            Self::Preempted(_) => AttemptStatus::Preempted,
            Self::Stopped { by_person: true, .. } => AttemptStatus::Cancelled,
            Self::Stopped { by_person: false, .. } => AttemptStatus::Aborted,
        }
    }
}
