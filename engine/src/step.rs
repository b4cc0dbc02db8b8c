//! A step of a run: its state and its table, which is the whole product in a dozen lines. Who comes next in the graph is not here (`run.rs`).
//!
//! ```text
//! Blocked     --all steps before it are terminal, its condition holds-->  Ready
//! Blocked     --a step before it ended against its condition-->           Skipped      terminal
//! Ready       --same work known, reuse on-->                              Reused       terminal, good
//! Ready       --same work is being done-->                                Following
//! Following   --the work was done-->                                      Reused       terminal, good
//! Following   --the one that did it gave up-->                            Ready
//! Ready       --released-->                                               Dispatched   (attempt n, token t)
//! Ready       --nobody can execute its kind-->                            Failed       terminal
//! Dispatched  --claimed by worker w-->                                    Running
//! Dispatched, Running  --given back, or the machine is taken away-->                                    Ready        (next: n+1, larger t)
//! Dispatched, Running  --result committed-->                              Succeeded    terminal, good
//! Dispatched, Running  --failed or lost, attempts left-->                 Waiting(until)
//! Dispatched, Running  --failed or lost, none left-->                     Failed       terminal
//! Waiting, Ready, Dispatched  --the lost attempt's worker is back-->      Running      (the unclaimed replacement is withdrawn)
//! Waiting     --alarm-->                                                  Ready
//! not terminal  --cancelled by a person-->                                Cancelled    terminal
//! not terminal  --ended by the system-->                                  Aborted      terminal
//! terminal, not good  --the run is retried-->                             Blocked or Ready
//! ```
//! A late or repeated report fits no row, is rejected, and changes nothing.

use crate::attempt::Attempt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::Failure;
use tidemill_protocol::ids::{StepIndex, StepRef};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::status::StepStatus;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::Success;

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub(crate) state: StepState,
    pub(crate) key: Option<StepKey>,
    pub(crate) changed_at: Timestamp,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) tries: Tries,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<Box<Checkpoint>>,
}

/// What an attempt saved for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The work that it belongs to: after a retry of the run the step may read something else.
    pub(crate) key: StepKey,
    /// The folder's content.
    pub(crate) content: ArtifactRef,
}

/// How often a step's attempts ended without a result since its run was submitted or last retried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tries {
    /// Attempts that failed through the step's own fault.
    pub failures: u16,
    /// Attempts that failed through the machines' fault.
    pub crashes: u16,
    /// Attempts in a row that were given back unstarted.
    pub returns: u16,
    /// Attempts whose machine was taken away.
    #[serde(default)]
    pub preemptions: u16,
    /// Attempts that did not begin because a store was away.
    #[serde(default)]
    pub outages: u16,
}

/// How a step stands, with what only this state needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepState {
    /// Waits for steps before it.
    Blocked(Blocked),
    /// In the backlog of its compute target, or about to take over a known result.
    Ready,
    /// Waits for an equal step that executes now.
    Following,
    /// The last attempt's task is out.
    Dispatched,
    /// The last attempt is claimed.
    Running,
    /// Pauses before the next attempt.
    Waiting {
        /// Until then.
        until: Timestamp,
    },
    /// The last attempt was committed.
    Succeeded {
        /// The result.
        success: Arc<Success>,
    },
    /// A known result was taken over.
    Reused {
        /// Whose.
        source: StepRef,
        /// The result.
        success: Arc<Success>,
    },
    /// Not run.
    Skipped {
        /// A step before it whose end is the reason.
        cause: StepIndex,
        /// Whether only conditions led here, so that nothing is wrong.
        by_condition: bool,
    },
    /// The last attempt failed, or there could be none.
    Failed {
        /// Why there could be no attempt.
        without_attempt: Option<Arc<Failure>>,
    },
    /// A person ended it.
    Cancelled,
    /// The system ended it.
    Aborted,
}

/// What a blocked step knows of the steps before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// How many are not terminal.
    pub waiting_for: u32,
    /// The first that ended badly.
    pub bad: Option<StepIndex>,
    /// The first that was skipped by a condition.
    pub passed_over: Option<StepIndex>,
}

impl Blocked {
    pub(crate) fn note(&mut self, before: StepIndex, ending: Ending) {
        self.waiting_for -= 1;
        match ending {
            Ending::Good => {}
            Ending::PassedOver => self.passed_over = self.passed_over.or(Some(before)),
            Ending::Bad => self.bad = self.bad.or(Some(before)),
        }
    }
}

/// What an end means for the steps after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Good,
    /// Skipped by a condition: nothing is wrong, and there is no result.
    PassedOver,
    Bad,
}

/// A row of the table: what happened to a step.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Unblocked,
    Skipped { cause: StepIndex, by_condition: bool },
    Reused { source: StepRef, success: Arc<Success> },
    Followed,
    Inherited,
    Dispatched,
    Unexecutable(Failure),
    Claimed,
    Resumed,
    Returned,
    Succeeded(Arc<Success>),
    Failed { retry_at: Option<Timestamp> },
    RetryDue,
    Ended { by_person: bool },
    Reset(Blocked),
}

impl StepState {
    /// The state after `change`; none when the table has no such row.
    pub(crate) fn after(&self, change: Change) -> Option<Self> {
        let next = match change {
            Change::Unblocked => self.is_blocked().then_some(Self::Ready),
            Change::Skipped { cause, by_condition } => {
                self.is_blocked().then_some(Self::Skipped { cause, by_condition })
            }
            Change::Reused { source, success } => self.is_idle().then_some(Self::Reused { source, success }),
            Change::Followed => matches!(self, Self::Ready).then_some(Self::Following),
            Change::Inherited => matches!(self, Self::Following).then_some(Self::Ready),
            Change::Dispatched => matches!(self, Self::Ready).then_some(Self::Dispatched),
            Change::Unexecutable(failure) => matches!(self, Self::Ready).then(|| Self::Failed {
                without_attempt: Some(Arc::new(failure)),
            }),
            Change::Claimed => matches!(self, Self::Dispatched).then_some(Self::Running),
            Change::Resumed => {
                matches!(self, Self::Waiting { .. } | Self::Ready | Self::Dispatched).then_some(Self::Running)
            }
            Change::Returned => self.is_in_flight().then_some(Self::Ready),
            Change::Succeeded(success) => self.is_in_flight().then_some(Self::Succeeded { success }),
            Change::Failed {
                retry_at: Some(until),
            } => self.is_in_flight().then_some(Self::Waiting { until }),
            Change::Failed { retry_at: None } => self.is_in_flight().then_some(Self::Failed {
                without_attempt: None,
            }),
            Change::RetryDue => matches!(self, Self::Waiting { .. }).then_some(Self::Ready),
            Change::Ended { by_person: true } => (!self.is_terminal()).then_some(Self::Cancelled),
            Change::Ended { by_person: false } => (!self.is_terminal()).then_some(Self::Aborted),
            Change::Reset(blocked) => {
                (self.ending().is_some_and(|end| end != Ending::Good)).then_some(Self::Blocked(blocked))
            }
        };
        debug_assert!(!matches!((&next, self.ending()), (Some(next), Some(_)) if next.is_terminal()));
        next
    }

    /// The public word.
    pub const fn status(&self) -> StepStatus {
        match self {
            Self::Blocked(_) => StepStatus::Blocked,
            Self::Ready | Self::Following => StepStatus::Ready,
            Self::Dispatched => StepStatus::Dispatched,
            Self::Running => StepStatus::Running,
            Self::Waiting { .. } => StepStatus::Waiting,
            Self::Succeeded { .. } => StepStatus::Succeeded,
            Self::Reused { .. } => StepStatus::Reused,
            Self::Skipped { .. } => StepStatus::Skipped,
            Self::Failed { .. } => StepStatus::Failed,
            Self::Cancelled => StepStatus::Cancelled,
            Self::Aborted => StepStatus::Aborted,
        }
    }

    /// Whether nothing can follow, short of a retry of the run.
    pub const fn is_terminal(&self) -> bool {
        self.status().is_terminal()
    }

    pub(crate) const fn ending(&self) -> Option<Ending> {
        match self {
            Self::Succeeded { .. } | Self::Reused { .. } => Some(Ending::Good),
            Self::Skipped {
                by_condition: true, ..
            } => Some(Ending::PassedOver),
            Self::Skipped {
                by_condition: false, ..
            }
            | Self::Failed { .. }
            | Self::Cancelled
            | Self::Aborted => Some(Ending::Bad),
            Self::Blocked(_)
            | Self::Ready
            | Self::Following
            | Self::Dispatched
            | Self::Running
            | Self::Waiting { .. } => None,
        }
    }

    pub(crate) const fn is_blocked(&self) -> bool {
        matches!(self, Self::Blocked(_))
    }

    /// Could run, and nobody executes it.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self, Self::Ready | Self::Following)
    }

    /// Its last attempt is not terminal.
    pub(crate) const fn is_in_flight(&self) -> bool {
        matches!(self, Self::Dispatched | Self::Running)
    }
}

impl Step {
    pub(crate) fn new(blocked: Blocked, at: Timestamp) -> Self {
        Self {
            state: StepState::Blocked(blocked),
            key: None,
            changed_at: at,
            attempts: Vec::new(),
            tries: Tries::default(),
            checkpoint: None,
        }
    }

    /// How it stands, with what belongs to that.
    pub const fn state(&self) -> &StepState {
        &self.state
    }

    /// The public word for how it stands.
    pub const fn status(&self) -> StepStatus {
        self.state.status()
    }

    /// Its key, once its inputs are known.
    pub const fn key(&self) -> Option<&StepKey> {
        self.key.as_ref()
    }

    /// When its state last changed: since when it waits, or when it became terminal.
    pub const fn changed_at(&self) -> Timestamp {
        self.changed_at
    }

    /// Its attempts, oldest first: the first has number 1.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// What the last attempt at its present work saved for the next one.
    pub fn checkpoint(&self) -> Option<&ArtifactRef> {
        let saved = self.checkpoint.as_ref()?;
        (self.key == Some(saved.key)).then_some(&saved.content)
    }

    /// How often its attempts ended without a result.
    pub const fn tries(&self) -> Tries {
        self.tries
    }

    /// The last attempt with its number: the last that was not withdrawn.
    pub fn last_attempt(&self) -> Option<(u32, &Attempt)> {
        self.numbered_back().next()
    }

    /// The attempts that were not withdrawn, with their numbers, the last first.
    pub(crate) fn numbered_back(&self) -> impl Iterator<Item = (u32, &Attempt)> {
        let numbered = self.attempts.iter().enumerate().rev();
        numbered
            .filter(|(_, attempt)| !attempt.is_withdrawn())
            .map(|(place, attempt)| {
                let number = u32::try_from(place + 1).expect("attempts are limited");
                (number, attempt)
            })
    }

    /// Its result, once it ended well.
    pub fn result(&self) -> Option<&Arc<Success>> {
        match &self.state {
            StepState::Succeeded { success } | StepState::Reused { success, .. } => Some(success),
            StepState::Blocked(_)
            | StepState::Ready
            | StepState::Following
            | StepState::Dispatched
            | StepState::Running
            | StepState::Waiting { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Cancelled
            | StepState::Aborted => None,
        }
    }

    /// When its first attempt was claimed.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.attempts
            .iter()
            .find_map(|attempt| attempt.claim())
            .map(|claim| claim.at)
    }

    /// When it became terminal.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.state.is_terminal().then_some(self.changed_at)
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<&Failure> {
        if let StepState::Failed { without_attempt } = &self.state {
            without_attempt
                .as_deref()
                .or_else(|| self.last_attempt().and_then(|(_, attempt)| attempt.failure()))
        } else {
            None
        }
    }
}
