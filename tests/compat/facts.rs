//! The journal's language: one golden event for each kind of fact.

use crate::golden::check;
use crate::samples as s;
use std::sync::Arc;
use tidemill_engine::{Event, Fact};
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::Plan;
use tidemill_protocol::project::Quota;
use tidemill_protocol::status::RunStatus;

/// The name of a kind of fact. A new kind does not compile until it has a name here; give it a sample below too.
fn kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::EpochStarted { .. } => "epoch-started",
        Fact::RunSubmitted { .. } => "run-submitted",
        Fact::QuotaSet { .. } => "quota-set",
        Fact::StepsAdded { .. } => "steps-added",
        Fact::RunCancelRequested { .. } => "run-cancel-requested",
        Fact::RunStopRequested { .. } => "run-stop-requested",
        Fact::RunRetried { .. } => "run-retried",
        Fact::RunFinished { .. } => "run-finished",
        Fact::RunForgotten { .. } => "run-forgotten",
        Fact::ArtifactLost { .. } => "artifact-lost",
        Fact::StepReused { .. } => "step-reused",
        Fact::StepFollows { .. } => "step-follows",
        Fact::StepSkipped { .. } => "step-skipped",
        Fact::StepEnded { .. } => "step-ended",
        Fact::StepFailed { .. } => "step-failed",
        Fact::AttemptDispatched { .. } => "attempt-dispatched",
        Fact::AttemptClaimed { .. } => "attempt-claimed",
        Fact::AttemptResumed { .. } => "attempt-resumed",
        Fact::AttemptSucceeded { .. } => "attempt-succeeded",
        Fact::AttemptFailed { .. } => "attempt-failed",
        Fact::AttemptReturned { .. } => "attempt-returned",
        Fact::AttemptStopped { .. } => "attempt-stopped",
        Fact::AttemptPreempted { .. } => "attempt-preempted",
        Fact::CheckpointSaved { .. } => "checkpoint-saved",
        Fact::StepRetryDue { .. } => "step-retry-due",
    }
}

/// How many kinds there are: as many as `kind` names.
const KINDS: usize = 25;

fn about_runs() -> Vec<Fact> {
    let run = s::run();
    vec![
        Fact::EpochStarted { epoch: 3 },
        Fact::RunSubmitted {
            run,
            plan: Arc::new(s::plan()),
            submitted_by: "ada".into(),
            idempotency_key: Some("nightly".into()),
        },
        Fact::QuotaSet {
            project: s::name("vision"),
            quota: Quota {
                running_steps: Some(12),
                targets: [(s::name("gpu"), 2)].into(),
                queued_runs: Some(50),
            },
        },
        Fact::StepsAdded {
            run,
            templates: s::templates(),
            steps: s::steps(),
        },
        Fact::RunCancelRequested {
            run,
            by: "ada".into(),
        },
        Fact::RunStopRequested {
            run,
            cause: StepIndex(1),
        },
        Fact::RunRetried {
            run,
            by: "ada".into(),
        },
        Fact::RunFinished {
            run,
            status: RunStatus::Aborted,
        },
        Fact::RunForgotten { run },
        Fact::ArtifactLost {
            artifact: s::folder(),
        },
    ]
}

fn about_steps() -> Vec<Fact> {
    let (step, key) = (s::step(), s::key());
    vec![
        Fact::StepReused {
            step,
            key,
            source: step,
            result: Arc::new(s::success()),
        },
        Fact::StepFollows {
            step,
            key,
            leader: step,
        },
        Fact::StepSkipped {
            step,
            cause: StepIndex(0),
        },
        Fact::StepEnded {
            step,
            by_person: true,
        },
        Fact::StepFailed {
            step,
            failure: s::failure(),
        },
        Fact::StepRetryDue { step },
    ]
}

fn about_attempts() -> Vec<Fact> {
    let (attempt, token) = (s::attempt(), s::TOKEN);
    vec![
        Fact::AttemptDispatched {
            attempt,
            token,
            key: s::key(),
        },
        Fact::AttemptClaimed {
            attempt,
            token,
            worker: s::worker(),
        },
        Fact::AttemptResumed {
            attempt,
            token,
            worker: s::worker(),
            withdrawn: Some(attempt.attempt + 1),
        },
        Fact::AttemptSucceeded {
            attempt,
            token,
            worker: s::worker(),
            success: Arc::new(s::success()),
        },
        Fact::AttemptFailed {
            attempt,
            token,
            failure: s::failure(),
            usage: s::usage(),
            retry_at: Some(s::MOMENT),
        },
        Fact::AttemptReturned { attempt, token },
        Fact::AttemptPreempted {
            attempt,
            token,
            usage: s::usage(),
        },
        Fact::CheckpointSaved {
            attempt,
            token,
            checkpoint: s::folder(),
        },
        Fact::AttemptStopped {
            attempt,
            token,
            by_person: false,
            usage: s::usage(),
        },
    ]
}

/// A run in a project.
fn in_a_project() -> Event {
    let plan = Plan {
        project: s::name("vision"),
        ..s::plan()
    };
    Event {
        at: s::MOMENT,
        fact: Fact::RunSubmitted {
            run: s::run(),
            plan: Arc::new(plan),
            submitted_by: "ada".into(),
            idempotency_key: None,
        },
    }
}

/// A run of which the pipeline was kept, too.
fn with_its_spec() -> Event {
    let plan = Plan {
        spec: Some(s::file(b"{}")),
        ..s::plan()
    };
    Event {
        at: s::MOMENT,
        fact: Fact::RunSubmitted {
            run: s::run(),
            plan: Arc::new(plan),
            submitted_by: "ada".into(),
            idempotency_key: None,
        },
    }
}

#[test]
fn every_fact_that_was_ever_written_is_read_as_it_was_meant() {
    let facts = about_runs()
        .into_iter()
        .chain(about_steps())
        .chain(about_attempts());
    let mut events: Vec<(&str, Event)> = facts
        .map(|fact| (kind(&fact), Event { at: s::MOMENT, fact }))
        .collect();
    assert_eq!(events.len(), KINDS, "a kind of fact has no sample");
    events.push(("run-submitted-with-its-spec", with_its_spec()));
    events.push(("run-submitted-in-a-project", in_a_project()));
    check("facts", &events);
}
