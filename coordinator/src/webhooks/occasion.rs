//! Which events of the journal a webhook tells, and what is told of each: pure, but for the look at the run.

use crate::driver::Sight;
use crate::published::PIPELINE_TAG;
use crate::views::run_summary;
use serde_json::{Value, json};
use tidemill_engine::{Event, Fact};
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::webhook::WebhookSpec;

/// An end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Of a run.
    Run(RunId, RunStatus),
    /// Of a step.
    Step(RunId, StepIndex, StepStatus),
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

    /// Whether a webhook tells it, as far as its status says.
    pub(super) fn is_wanted(self, spec: &WebhookSpec) -> bool {
        match self {
            Self::Run(_, status) => spec.runs.contains(&status),
            Self::Step(_, _, status) => spec.steps.contains(&status),
        }
    }
}

/// What is told of an end: a phrase for the log of deliveries, and the body; none when the webhook does not want it, or the run is forgotten.
pub(super) fn told(sight: &Sight<'_>, end: End, spec: &WebhookSpec) -> Option<(String, Value)> {
    let id = match end {
        End::Run(run, _) | End::Step(run, ..) => run,
    };
    let run = sight.engine.run(id)?;
    let plan = run.plan();
    let published = plan.tags.get(PIPELINE_TAG).and_then(|tag| tag.split_once(':'));
    let is_of = |name: &tidemill_protocol::name::Name| {
        plan.pipeline == *name || published.is_some_and(|(published, _)| published == name.as_str())
    };
    if !spec.pipeline.as_ref().is_none_or(is_of) {
        return None;
    }
    let mut body = json!({"run": run_summary(&sight.ledgers.remarks, run)});
    let about = match end {
        End::Run(_, status) => {
            body["event"] = json!("run_ended");
            format!("run {id} {status}")
        }
        End::Step(_, step, status) => {
            let path = run.planned(step)?.path.clone();
            let failure = run.step(step).and_then(|step| step.failure());
            body["event"] = json!("step_ended");
            body["step"] = json!({"path": path, "status": status, "failure": failure.map(|failure| failure.reason.describe())});
            format!("step {path} of run {id} {status}")
        }
    };
    Some((about, body))
}
