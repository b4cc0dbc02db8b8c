//! Which events of the journal are ends, which of them a subscription wants, and what is known of each when it is told: pure, but for the look at the run.

use crate::driver::Sight;
use crate::published::PIPELINE_TAG;
use crate::views::run_summary;
use tidemill_engine::{Event, Fact, Run};
use tidemill_protocol::api::RunSummary;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::Failure;
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::{RunStatus, StepStatus};

/// What a subscription wants to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Ends of runs.
    pub(crate) runs: &'a [RunStatus],
    /// Ends of steps.
    pub(crate) steps: &'a [StepStatus],
    /// Of this pipeline only.
    pub(crate) pipeline: Option<&'a Name>,
    /// Of this experiment only.
    pub(crate) experiment: Option<&'a Name>,
}

/// An end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Of a run.
    Run(RunId, RunStatus),
    /// Of a step.
    Step(RunId, StepIndex, StepStatus),
}

/// What there is to tell of an end.
#[derive(Debug, Clone)]
pub(crate) struct Occasion {
    /// The end in a phrase, for the log of deliveries.
    pub(crate) about: String,
    /// The run.
    pub(crate) run: RunSummary,
    /// Whether it is the step that ended, and not the run.
    pub(crate) is_step: bool,
    /// The step that ended; of a run that ended, the first of its steps that failed.
    pub(crate) step: Option<StepEnd>,
}

/// How a step ended.
#[derive(Debug, Clone)]
pub(crate) struct StepEnd {
    /// The step.
    pub(crate) path: String,
    /// How it ended.
    pub(crate) status: StepStatus,
    /// Why it failed, if it did.
    pub(crate) failure: Option<Failure>,
    /// What its last attempt wrote to standard error and standard output.
    pub(crate) logs: [Option<ArtifactRef>; 2],
}

impl End {
    /// The end that an event is, if it is one.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let ended = |by_person: bool| {
            if by_person {
                StepStatus::Cancelled
            } else {
                StepStatus::Aborted
            }
        };
        let (run, step, status) = match &event.fact {
            Fact::RunFinished { run, status } => return Some(Self::Run(*run, *status)),
            Fact::StepReused { step, .. } => (step.run, step.step, StepStatus::Reused),
            Fact::StepSkipped { step, .. } => (step.run, step.step, StepStatus::Skipped),
            Fact::StepEnded { step, by_person } => (step.run, step.step, ended(*by_person)),
            Fact::StepFailed { step, .. } => (step.run, step.step, StepStatus::Failed),
            Fact::AttemptSucceeded { attempt, .. } => (attempt.run, attempt.step, StepStatus::Succeeded),
            Fact::AttemptFailed {
                attempt,
                retry_at: None,
                ..
            } => (attempt.run, attempt.step, StepStatus::Failed),
            Fact::AttemptStopped {
                attempt, by_person, ..
            } => (attempt.run, attempt.step, ended(*by_person)),
            _ => return None,
        };
        Some(Self::Step(run, step, status))
    }

    /// Whether it is wanted, as far as its status says.
    pub(super) fn is_wanted(self, wanted: &Wanted<'_>) -> bool {
        match self {
            Self::Run(_, status) => wanted.runs.contains(&status),
            Self::Step(_, _, status) => wanted.steps.contains(&status),
        }
    }
}

/// What there is to tell of an end; none when it is not wanted, or the run is forgotten.
pub(super) fn occasion(sight: &Sight<'_>, end: End, wanted: &Wanted<'_>) -> Option<Occasion> {
    let id = match end {
        End::Run(run, _) | End::Step(run, ..) => run,
    };
    let run = sight.engine.run(id)?;
    let plan = run.plan();
    let published = plan.tags.get(PIPELINE_TAG).and_then(|tag| tag.split_once(':'));
    let is_of = |name: &Name| {
        plan.pipeline == *name || published.is_some_and(|(published, _)| published == name.as_str())
    };
    let is_in = |experiment: &Name| plan.experiment == *experiment;
    if !wanted.pipeline.is_none_or(is_of) || !wanted.experiment.is_none_or(is_in) {
        return None;
    }
    let (about, step) = match end {
        End::Run(_, status) => (format!("run {id} {status}"), first_failed(run)),
        End::Step(_, index, status) => {
            let step = step_end(run, index, status)?;
            (format!("step {} of run {id} {status}", step.path), Some(step))
        }
    };
    Some(Occasion {
        about,
        run: run_summary(&sight.ledgers.remarks, run),
        is_step: matches!(end, End::Step(..)),
        step,
    })
}

fn first_failed(run: &Run) -> Option<StepEnd> {
    let mut steps = (0..).map(StepIndex).zip(run.steps());
    let (index, _) = steps.find(|(_, step)| step.status() == StepStatus::Failed)?;
    step_end(run, index, StepStatus::Failed)
}

fn step_end(run: &Run, index: StepIndex, status: StepStatus) -> Option<StepEnd> {
    let path = run.planned(index)?.path.to_string();
    let step = run.step(index);
    let attempt = step.and_then(|step| step.last_attempt());
    let usage = attempt.and_then(|(_, attempt)| attempt.usage());
    Some(StepEnd {
        path,
        status,
        failure: step.and_then(|step| step.failure()).cloned(),
        logs: usage.map_or([None; 2], |usage| [usage.stderr, usage.stdout]),
    })
}
