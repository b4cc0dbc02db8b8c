//! What a step receives: its inputs with every edge resolved, the key that follows from them, and the task that hands them to a worker.
//!
//! An input whose step did not end well, or ended without that (optional) output, is left out, exactly as an optional input that was not given:
//! only steps that run after a bad end (`when: always`, `when: on_failure`) can meet the first case.

use crate::run::Run;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::ids::{AttemptId, FencingToken, StepIndex};
use tidemill_protocol::key::{InputValue, StepKey, step_key};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::InputBinding;
use tidemill_protocol::wire::StepTask;

/// The inputs of a step that are known now, in name order.
pub(crate) fn known(run: &Run, step: StepIndex) -> Vec<(&PortName, InputValue)> {
    let inputs = run.graph.planned(step).inputs.iter();
    inputs
        .filter_map(|(name, binding)| Some((name, value(run, binding)?)))
        .collect()
}

fn value(run: &Run, binding: &InputBinding) -> Option<InputValue> {
    match binding {
        InputBinding::Value(value) => Some(value.clone()),
        InputBinding::Step(source) => {
            let artifact = run.state(source.step).result()?.outputs.get(&source.output)?;
            Some(InputValue::Artifact(*artifact))
        }
    }
}

/// The key of a step whose predecessors are terminal.
pub(crate) fn key(run: &Run, step: StepIndex) -> StepKey {
    let inputs = known(run, step);
    step_key(
        &run.graph.template(step).fixed,
        inputs.iter().map(|(name, value)| (*name, value)),
    )
}

/// The task of the last attempt of a dispatched step.
pub(crate) fn task(run: &Run, step: StepIndex, attempt: u32, token: FencingToken) -> Arc<StepTask> {
    let plan = run.plan();
    let inputs: BTreeMap<PortName, InputValue> = known(run, step)
        .into_iter()
        .map(|(name, value)| (name.clone(), value))
        .collect();
    Arc::new(StepTask {
        attempt: AttemptId {
            run: run.id,
            step,
            attempt,
        },
        token,
        key: run.state(step).key.expect("a step that was ready has a key"),
        path: run.graph.planned(step).path.clone(),
        pipeline: plan.pipeline.clone(),
        experiment: plan.experiment.clone(),
        template: Arc::clone(run.graph.template(step)),
        inputs,
        checkpoint: run.state(step).checkpoint().copied(),
        trace_parent: None,
        tracking: None,
    })
}
