//! What tidemill itself knows of its runs and attempts, in the words of tracking.

use super::shown::ShownRun;
use crate::tracking::{Base, Lifecycle, NewRun, Own, TrackedId, TrackedStatus, own_experiment_id};
use std::collections::BTreeMap;
use tidemill_engine::{Engine, Run};
use tidemill_protocol::ids::{AttemptId, StepIndex};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::{InputBinding, display_value};
use tidemill_protocol::status::{AttemptStatus, RunStatus};
use tidemill_protocol::time::Timestamp;

/// The experiment that a run of tidemill's own belongs to: its id.
fn experiment_of(run: &Run) -> String {
    own_experiment_id(run.plan().experiment.as_str())
}

/// What the engine knows of the run with this id.
pub(super) fn own(engine: &Engine, id: &TrackedId) -> Option<ShownRun> {
    match id.own()? {
        Own::Run(run) => {
            let run = engine.run(run)?;
            Some(of_run(run, experiment_of(run)))
        }
        Own::Attempt(attempt) => {
            let run = engine.run(attempt.run)?;
            of_attempt(run, attempt, experiment_of(run))
        }
    }
}

/// All of the engine's runs in an experiment, each with its attempts, the newest first.
pub(super) fn own_in<'a>(
    engine: &'a Engine,
    name: &'a str,
    experiment: &'a str,
) -> impl Iterator<Item = ShownRun> + 'a {
    let runs = engine.runs_newest_first(None);
    let runs = runs.filter(move |run| run.plan().experiment.as_str() == name);
    runs.flat_map(move |run| {
        let parent = std::iter::once_with(move || of_run(run, experiment.to_owned()));
        let attempts = (0_u32..).map(StepIndex).zip(run.steps());
        let attempts = attempts.flat_map(move |(step, state)| {
            let numbers = 1..=u32::try_from(state.attempts().len()).unwrap_or(u32::MAX);
            numbers.map(move |attempt| AttemptId {
                run: run.id(),
                step,
                attempt,
            })
        });
        parent.chain(attempts.filter_map(move |attempt| of_attempt(run, attempt, experiment.to_owned())))
    })
}

/// What has to be known to keep something of a run or attempt of tidemill's own for the first time.
pub(crate) fn base_of(engine: &Engine, id: &TrackedId) -> Option<Base> {
    let shown = own(engine, id)?;
    let (Own::Run(run) | Own::Attempt(AttemptId { run, .. })) = id.own()?;
    Some(Base {
        experiment: shown.experiment.clone(),
        experiment_name: engine.run(run)?.plan().experiment.to_string(),
        run: Some(NewRun {
            run: id.clone(),
            experiment: shown.experiment,
            name: shown.name,
            user: shown.user,
            started_at: shown.started_at,
            tags: shown.tags,
        }),
    })
}

fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn of_run(run: &Run, experiment: String) -> ShownRun {
    let plan = run.plan();
    let status = match run.status() {
        RunStatus::Queued => TrackedStatus::Scheduled,
        RunStatus::Running | RunStatus::Cancelling => TrackedStatus::Running,
        RunStatus::Succeeded => TrackedStatus::Finished,
        RunStatus::Failed => TrackedStatus::Failed,
        RunStatus::Cancelled | RunStatus::Aborted => TrackedStatus::Killed,
    };
    let mut tags = plan.tags.clone();
    let source = plan.pipeline.as_str();
    tags.extend(own_tags(&plan.display_name, run.submitted_by(), source));
    tags.insert("tidemill.run".to_owned(), run.id().to_string());
    let parameters = plan.parameters.iter();
    ShownRun {
        id: TrackedId::of_run(run.id()),
        experiment,
        name: plan.display_name.clone(),
        user: run.submitted_by().to_owned(),
        status,
        started_at: millis(run.started_at().unwrap_or(run.submitted_at())),
        ended_at: run.finished_at().map(millis),
        lifecycle: Lifecycle::Active,
        tags,
        params: parameters
            .map(|(name, value)| (name.to_string(), display_value(value)))
            .collect(),
        logged: None,
    }
}

fn of_attempt(run: &Run, id: AttemptId, experiment: String) -> Option<ShownRun> {
    let (state, planned) = (run.step(id.step)?, run.planned(id.step)?);
    let attempt = state.attempts().get(id.attempt.checked_sub(1)? as usize)?;
    let status = match attempt.status() {
        AttemptStatus::Dispatched => TrackedStatus::Scheduled,
        AttemptStatus::Running => TrackedStatus::Running,
        AttemptStatus::Succeeded => TrackedStatus::Finished,
        AttemptStatus::Failed | AttemptStatus::Lost => TrackedStatus::Failed,
        AttemptStatus::Returned
        | AttemptStatus::Withdrawn
        | AttemptStatus::Preempted
        | AttemptStatus::Cancelled
        | AttemptStatus::Aborted => TrackedStatus::Killed,
    };
    let name = match id.attempt {
        1 => planned.path.to_string(),
        number => format!("{} #{number}", planned.path),
    };
    let mut tags = own_tags(&name, run.submitted_by(), run.plan().pipeline.as_str());
    let own = [
        ("mlflow.parentRunId", TrackedId::of_run(run.id()).to_string()),
        ("tidemill.run", run.id().to_string()),
        ("tidemill.step", planned.path.to_string()),
        ("tidemill.attempt", id.attempt.to_string()),
    ];
    tags.extend(own.map(|(key, value)| (key.to_owned(), value)));
    if let Some(worker) = attempt.worker() {
        tags.insert("tidemill.worker".to_owned(), worker.to_string());
    }
    let literals = planned.inputs.iter().filter_map(|(name, binding)| match binding {
        InputBinding::Value(value @ InputValue::Literal(_)) => Some((name.to_string(), display_value(value))),
        InputBinding::Value(_) | InputBinding::Step(_) => None,
    });
    let started_at = attempt.claim().map_or(attempt.dispatched_at(), |claim| claim.at);
    Some(ShownRun {
        id: TrackedId::of_attempt(id),
        experiment,
        name,
        user: run.submitted_by().to_owned(),
        status,
        started_at: millis(started_at),
        ended_at: attempt.end().map(|end| millis(end.at)),
        lifecycle: Lifecycle::Active,
        tags,
        params: literals.collect(),
        logged: None,
    })
}

/// The tags by which clients show a run.
fn own_tags(name: &str, user: &str, source: &str) -> BTreeMap<String, String> {
    let tags = [
        ("mlflow.runName", name),
        ("mlflow.user", user),
        ("mlflow.source.name", source),
        ("mlflow.source.type", "JOB"),
    ];
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
