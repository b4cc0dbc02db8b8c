//! One step of a run: what it was given, how it stands, its attempts.

use crate::catalog::{Catalog, Verdict};
use tidemill_engine::{Attempt, Engine, Fleet, Run, StepState};
use tidemill_protocol::api::{AttemptView, InputView, NamedOutputView, StepView, UsageView};
use tidemill_protocol::ids::{AttemptId, RunId, StepIndex, StepPath, StepRef};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::{InputBinding, PlannedStep, StepKind, display_value};
use tidemill_protocol::wire::AttemptUsage;

/// A step as `RUN/STEP`; its run's id and place when the run is not known any more.
pub(crate) fn step_name(engine: &Engine, step: StepRef) -> String {
    let planned = engine.run(step.run).and_then(|run| run.planned(step.step));
    planned.map_or_else(
        || format!("{step:?}"),
        |planned| format!("{}/{}", step.run, planned.path),
    )
}

/// A step; none when there is no such step.
pub(crate) fn step_view(
    (engine, catalog): (&Engine, &Catalog),
    run: &Run,
    index: StepIndex,
    fleet: &Fleet,
) -> Option<StepView> {
    let (step, planned, template) = (run.step(index)?, run.planned(index)?, run.template(index)?);
    let path_of = |step: StepIndex| run.planned(step).map(|planned| planned.path.clone());
    let attempt_id = |attempt| AttemptId {
        run: run.id(),
        step: index,
        attempt,
    };
    let attempts = (1..).zip(step.attempts());
    Some(StepView {
        path: planned.path.clone(),
        display_name: match template.rules.display_name.as_str() {
            "" => planned.path.to_string(),
            name => name.to_owned(),
        },
        kind: match &template.work.kind {
            StepKind::Command(_) => "command".to_owned(),
            StepKind::Builtin(builtin) => builtin.as_str().to_owned(),
            StepKind::Other { name, .. } => name.clone(),
            StepKind::Unknown => "unknown".to_owned(),
        },
        target: template.rules.target.clone(),
        status: step.status(),
        depends_on: run.before(index).filter_map(path_of).collect(),
        key: step.key().map(ToString::to_string),
        reused_from: match step.state() {
            // The run may be forgotten; its id still says where to look in exports.
            StepState::Reused { source, .. } => Some(step_name(engine, *source)),
            _ => None,
        },
        started_at: step.started_at(),
        finished_at: step.finished_at(),
        attempts: attempts
            .map(|(number, attempt)| attempt_view(attempt_id(number), attempt, fleet))
            .collect(),
        checkpoint: step.checkpoint().copied(),
        outputs: step
            .result()
            .map(|result| result.outputs.clone())
            .unwrap_or_default(),
        inputs: inputs(run, planned),
        code: template.work.code,
        named: named_outputs(catalog, run.id(), &planned.path),
    })
}

/// What became of the outputs of a step that its pipeline gives names.
pub(crate) fn named_outputs(catalog: &Catalog, run: RunId, step: &StepPath) -> Vec<NamedOutputView> {
    let settled = catalog.settled(run, step).map(|(output, settled)| {
        let (version, refused) = match &settled.verdict {
            Verdict::Version(version) => (Some(version.clone()), None),
            Verdict::Refused(why) => (None, Some(why.clone())),
        };
        NamedOutputView {
            output: output.clone(),
            kind: settled.kind,
            name: catalog.current(settled.kind, &settled.name).clone(),
            version,
            refused,
        }
    });
    settled.collect()
}

fn inputs(run: &Run, planned: &PlannedStep) -> Vec<InputView> {
    let inputs = planned.inputs.iter().map(|(name, binding)| match binding {
        InputBinding::Value(value) => InputView {
            name: name.clone(),
            source: match value {
                InputValue::Artifact(_) => String::new(),
                InputValue::Literal(_) | InputValue::Uri(_) => display_value(value),
            },
            artifact: match value {
                InputValue::Artifact(artifact) => Some(*artifact),
                InputValue::Literal(_) | InputValue::Uri(_) => None,
            },
        },
        InputBinding::Step(source) => {
            let path = run
                .planned(source.step)
                .map_or_else(String::new, |step| step.path.to_string());
            let result = run.step(source.step).and_then(|step| step.result());
            InputView {
                name: name.clone(),
                source: format!("{path}.{}", source.output),
                artifact: result.and_then(|result| result.outputs.get(&source.output).copied()),
            }
        }
    });
    inputs.collect()
}

fn attempt_view(id: AttemptId, attempt: &Attempt, fleet: &Fleet) -> AttemptView {
    let worker = attempt.worker();
    AttemptView {
        attempt: id.attempt,
        status: attempt.status(),
        phase: worker
            .filter(|_| attempt.end().is_none())
            .and_then(|worker| fleet.phase(worker, &id)),
        worker: worker.cloned(),
        dispatched_at: attempt.dispatched_at(),
        claimed_at: attempt.claim().map(|claim| claim.at),
        finished_at: attempt.end().map(|end| end.at),
        failure: attempt.failure().cloned(),
        usage: attempt.usage().map(usage_view),
    }
}

fn usage_view(usage: &AttemptUsage) -> UsageView {
    UsageView {
        process_ms: usage.process_ms,
        preparing_ms: usage.preparing_ms,
        storing_ms: usage.storing_ms,
        memory_peak_bytes: usage.memory_peak_bytes,
        stdout: usage.stdout,
        stderr: usage.stderr,
        notes: usage.notes.clone(),
    }
}
