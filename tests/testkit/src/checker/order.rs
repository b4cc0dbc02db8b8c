//! One more question about evidence: whether each attempt was made out only after what its step reads had been committed, and for exactly that. By the order
//! of the journal, and by the step's key, which names the contents that it was made out for. Pure, as `judge` is, and without the engine.

use super::Evidence;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemill_engine::Fact;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::{RunId, StepIndex, StepRef};
use tidemill_protocol::key::{InputValue, StepKey, step_key};
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{InputBinding, PlannedStep, StepTemplate};
use tidemill_protocol::wire::Success;

/// What is planned, and what has ended so far.
#[derive(Default)]
struct Course {
    templates: BTreeMap<RunId, Vec<Arc<StepTemplate>>>,
    steps: BTreeMap<RunId, Vec<PlannedStep>>,
    /// The result of each step that has ended; none where it ended without one.
    ends: BTreeMap<StepRef, Option<Arc<Success>>>,
}

/// Steps that were made out, reused or waited for too early or for other contents than were committed before, in words.
pub(super) fn too_early(evidence: &Evidence) -> Vec<String> {
    let mut course = Course::default();
    let mut told = BTreeSet::new();
    for event in &evidence.events {
        match &event.fact {
            Fact::RunSubmitted { run, plan, .. } => course.add(*run, &plan.templates, &plan.steps),
            Fact::StepsAdded {
                run,
                templates,
                steps,
            } => course.add(*run, templates, steps),
            Fact::AttemptDispatched { attempt, key, .. } => {
                told.extend(course.fault(attempt.step_ref(), key));
            }
            Fact::StepFollows { step, key, .. } => told.extend(course.fault(*step, key)),
            Fact::StepReused {
                step, key, result, ..
            } => {
                told.extend(course.fault(*step, key));
                course.ends.insert(*step, Some(Arc::clone(result)));
            }
            Fact::AttemptSucceeded { attempt, success, .. } => {
                course.ends.insert(attempt.step_ref(), Some(Arc::clone(success)));
            }
            Fact::AttemptFailed {
                attempt,
                retry_at: None,
                ..
            }
            | Fact::AttemptStopped { attempt, .. } => {
                course.ends.entry(attempt.step_ref()).or_default();
            }
            Fact::StepSkipped { step, .. } | Fact::StepEnded { step, .. } | Fact::StepFailed { step, .. } => {
                course.ends.entry(*step).or_default();
            }
            Fact::RunRetried { run, .. } => course
                .ends
                .retain(|step, result| step.run != *run || result.is_some()),
            _ => {}
        }
    }
    told.into_iter().collect()
}

impl Course {
    fn add(&mut self, run: RunId, templates: &[Arc<StepTemplate>], steps: &[PlannedStep]) {
        self.templates
            .entry(run)
            .or_default()
            .extend_from_slice(templates);
        self.steps.entry(run).or_default().extend_from_slice(steps);
    }

    /// Why it was wrong to begin with this step now under this key, if it was.
    fn fault(&self, step: StepRef, key: &StepKey) -> Option<String> {
        let planned = self
            .steps
            .get(&step.run)
            .and_then(|steps| steps.get(step.step.as_usize()));
        let Some(planned) = planned else {
            return Some(format!("{step:?} is of no plan"));
        };
        let read = planned.inputs.iter().filter_map(|(_, binding)| match binding {
            InputBinding::Step(output) => Some(output.step),
            InputBinding::Value(_) => None,
        });
        let open = |before: &StepIndex| {
            let before = StepRef {
                run: step.run,
                step: *before,
            };
            !self.ends.contains_key(&before)
        };
        let mut before = read.chain(planned.after.iter().copied());
        if let Some(open) = before.find(open) {
            return Some(format!(
                "{step:?} began before step {open}, which it comes after, had ended"
            ));
        }
        let templates = self.templates.get(&step.run)?;
        let template = templates.get(planned.template as usize)?;
        let inputs: Vec<(&PortName, InputValue)> = planned
            .inputs
            .iter()
            .filter_map(|(name, binding)| Some((name, self.value(step.run, binding)?)))
            .collect();
        let wanted = step_key(&template.fixed, inputs.iter().map(|(name, value)| (*name, value)));
        (wanted != *key).then(|| format!("{step:?} began for other contents than were committed before it"))
    }

    fn value(&self, run: RunId, binding: &InputBinding) -> Option<InputValue> {
        match binding {
            InputBinding::Value(value) => Some(value.clone()),
            InputBinding::Step(source) => {
                let source_step = StepRef {
                    run,
                    step: source.step,
                };
                let result = self.ends.get(&source_step)?.as_ref()?;
                let artifact: &ArtifactRef = result.outputs.get(&source.output)?;
                Some(InputValue::Artifact(*artifact))
            }
        }
    }
}
