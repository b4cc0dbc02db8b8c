//! A run: its graph, its steps, how many of them stand how, and its own table. Which steps move is decided elsewhere.
//!
//! ```text
//! Queued      --first step released or reused-->   Running
//! not terminal --a person cancels-->               Cancelling
//! not terminal --the last step became terminal-->  Succeeded, Failed, Cancelled, Aborted
//! Failed, Cancelled, Aborted --retried-->          Running
//! ```

use crate::graph::Graph;
use crate::place::{GroupId, Place, RunNumber};
use crate::step::Step;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tidemill_protocol::api::StepCounts;
use tidemill_protocol::ids::{RunId, StepIndex, StepPath, StepRef};
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{OnStepFailure, Plan, PlannedStep, StepTemplate, When};
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::time::Timestamp;

/// A run and its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub(crate) id: RunId,
    pub(crate) number: RunNumber,
    pub(crate) group: GroupId,
    pub(crate) graph: Graph,
    pub(crate) steps: Vec<Step>,
    pub(crate) submitted_by: Arc<str>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) submitted_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished: Option<(Timestamp, RunStatus)>,
    pub(crate) ending: Option<RunEnding>,
    pub(crate) counts: Counts,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) acts: Vec<Act>,
}

/// What a person asked of a run after its submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Arc<str>,
    /// What.
    pub what: Asked,
}

/// What people ask of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// To end.
    Cancel,
    /// To give its steps another chance.
    Retry,
}

/// How much of what people asked of one run is remembered.
const ACTS_MAX: usize = 100;

/// Why the steps of a run are being given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunEnding {
    /// A step failed, and the run stops at the first failure. Steps with a condition still run.
    Stopped {
        /// The step.
        cause: StepIndex,
    },
    /// A person cancelled it. Steps that run always still run.
    Cancelled {
        /// Who.
        by: String,
    },
    /// A person cancelled it twice: nothing more runs.
    CancelledForGood {
        /// Who, the second time.
        by: String,
    },
}

/// How many steps have each status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts([u32; StepStatus::ALL.len()]);

impl Counts {
    pub(crate) fn of(self, status: StepStatus) -> u32 {
        self.0[status as usize]
    }

    pub(crate) fn add(&mut self, status: StepStatus) {
        self.0[status as usize] += 1;
    }

    pub(crate) fn remove(&mut self, status: StepStatus) {
        self.0[status as usize] -= 1;
    }

    /// Steps that are not terminal.
    pub(crate) fn open(self) -> u32 {
        StepStatus::ALL
            .iter()
            .filter(|status| !status.is_terminal())
            .map(|status| self.of(*status))
            .sum()
    }
}

impl Run {
    /// The run's id.
    pub const fn id(&self) -> RunId {
        self.id
    }

    /// Its plan as submitted. Steps added since are not in it: see [`Self::planned`].
    pub fn plan(&self) -> &Arc<Plan> {
        self.graph.plan()
    }

    /// The project that it belongs to.
    pub fn project(&self) -> &Name {
        &self.graph.plan().project
    }

    /// Who submitted it.
    pub fn submitted_by(&self) -> &str {
        &self.submitted_by
    }

    /// When it was accepted.
    pub const fn submitted_at(&self) -> Timestamp {
        self.submitted_at
    }

    /// When its first step was released or reused.
    pub const fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// When it became terminal.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.finished.map(|(at, _)| at)
    }

    /// Why its steps are being given up, if they are.
    pub const fn ending(&self) -> Option<&RunEnding> {
        self.ending.as_ref()
    }

    /// What people asked of it, oldest first; the last hundred.
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    pub(crate) fn note_act(&mut self, at: Timestamp, by: &str, what: Asked) {
        if self.acts.len() >= ACTS_MAX {
            self.acts.remove(0);
        }
        self.acts.push(Act {
            at,
            by: by.into(),
            what,
        });
    }

    /// How it stands.
    pub fn status(&self) -> RunStatus {
        if let Some((_, status)) = self.finished {
            return status;
        }
        match &self.ending {
            Some(RunEnding::Cancelled { .. } | RunEnding::CancelledForGood { .. }) => RunStatus::Cancelling,
            Some(RunEnding::Stopped { .. }) => RunStatus::Running,
            None if self.started_at.is_some() => RunStatus::Running,
            None => RunStatus::Queued,
        }
    }

    /// The status that fits when every step is terminal.
    pub(crate) fn final_status(&self) -> RunStatus {
        if self.counts.of(StepStatus::Cancelled) > 0 {
            RunStatus::Cancelled
        } else if self.counts.of(StepStatus::Failed) > 0 {
            RunStatus::Failed
        } else if self.counts.of(StepStatus::Aborted) > 0 {
            RunStatus::Aborted
        } else {
            RunStatus::Succeeded
        }
    }

    /// How many of its steps stand how; kept as they change.
    pub fn counts(&self) -> StepCounts {
        let of = |status| self.counts.of(status);
        StepCounts {
            total: self.graph.len(),
            pending: of(StepStatus::Blocked) + of(StepStatus::Ready) + of(StepStatus::Waiting),
            dispatched: of(StepStatus::Dispatched),
            running: of(StepStatus::Running),
            succeeded: of(StepStatus::Succeeded),
            reused: of(StepStatus::Reused),
            skipped: of(StepStatus::Skipped),
            failed: of(StepStatus::Failed),
            ended: of(StepStatus::Cancelled) + of(StepStatus::Aborted),
        }
    }

    /// Its steps in plan order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = &Step> {
        self.steps.iter()
    }

    /// A step of it.
    pub fn step(&self, step: StepIndex) -> Option<&Step> {
        self.steps.get(step.as_usize())
    }

    /// What was planned for a step, also for one that was added later.
    pub fn planned(&self, step: StepIndex) -> Option<&PlannedStep> {
        self.graph.get(step)
    }

    /// What a step executes and under which rules.
    pub fn template(&self, step: StepIndex) -> Option<&Arc<StepTemplate>> {
        self.graph.get(step).map(|_| self.graph.template(step))
    }

    /// The steps before a step, by data or order.
    pub fn before(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        self.graph
            .get(step)
            .into_iter()
            .flat_map(crate::graph::predecessors)
    }

    /// The steps after a step, by data or order.
    pub fn after(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        self.graph
            .get(step)
            .into_iter()
            .flat_map(move |_| self.graph.dependants(step))
    }

    /// The step of this name. Looks at every step.
    pub fn find(&self, path: &StepPath) -> Option<StepIndex> {
        (0..self.graph.len())
            .map(StepIndex)
            .find(|step| self.graph.planned(*step).path == *path)
    }

    pub(crate) fn state(&self, step: StepIndex) -> &Step {
        &self.steps[step.as_usize()]
    }

    pub(crate) fn place(&self, step: StepIndex) -> Place {
        Place {
            run: self.number,
            step,
        }
    }

    pub(crate) fn step_ref(&self, step: StepIndex) -> StepRef {
        StepRef { run: self.id, step }
    }

    pub(crate) fn indexes(&self) -> impl Iterator<Item = StepIndex> + use<> {
        (0..self.graph.len()).map(StepIndex)
    }

    /// Whether the end of the run ends this step too, if it is not terminal.
    pub(crate) fn gives_up(&self, step: StepIndex) -> Option<GivenUp> {
        let ending = self.ending.as_ref()?;
        match (ending, self.graph.template(step).rules.when) {
            (RunEnding::CancelledForGood { .. }, _) => Some(GivenUp::ByPerson),
            (RunEnding::Cancelled { .. }, When::OnSuccess | When::OnFailure) => Some(GivenUp::ByPerson),
            (RunEnding::Stopped { .. }, When::OnSuccess) => Some(GivenUp::BySystem),
            (RunEnding::Cancelled { .. }, When::Always) => None,
            (RunEnding::Stopped { .. }, When::OnFailure | When::Always) => None,
        }
    }

    /// Whether a failed step is the reason to stop the run now.
    pub(crate) fn stops_at_failure(&self) -> bool {
        self.graph.plan().on_step_failure == OnStepFailure::Stop && self.ending.is_none()
    }

    /// Whether a step takes part in reuse: takes over the results of others, and waits for those who make them.
    pub(crate) fn takes_results(&self, step: StepIndex) -> bool {
        self.offers_result(step) && !self.graph.plan().force_rerun
    }

    /// Whether a step's result may be taken over by others.
    pub(crate) fn offers_result(&self, step: StepIndex) -> bool {
        self.graph.template(step).rules.cache
    }
}

/// Who gave a step up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    ByPerson,
    BySystem,
}

impl GivenUp {
    pub(crate) const fn by_person(self) -> bool {
        matches!(self, Self::ByPerson)
    }
}
