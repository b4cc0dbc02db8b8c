//! Which artifacts the state names: what must stay in the store as long as the runs are known.

use crate::attempt::Attempt;
use crate::engine::Engine;
use crate::run::Run;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::StepRef;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::plan::InputBinding;
use tidemill_protocol::wire::{AttemptUsage, Success};

impl Engine {
    /// Shows `visit` every artifact that the state names, some of them more than once: code and inputs of every plan, the pipeline that it was made of, results, logs of every attempt,
    /// and what was saved for the next attempt. Costs by the number of steps and attempts that are known.
    pub fn for_each_artifact(&self, mut visit: impl FnMut(&ArtifactRef)) {
        for run in self.runs.values() {
            of_plan(run, &mut visit);
            for step in &run.steps {
                // One that was saved for other inputs, too: a retry may come back to them.
                if let Some(checkpoint) = &step.checkpoint {
                    visit(&checkpoint.content);
                }
                step.attempts
                    .iter()
                    .filter_map(Attempt::usage)
                    .for_each(|usage| of_usage(usage, &mut visit));
                if let Some(success) = step.result() {
                    of_success(success, &mut visit);
                }
            }
        }
        // Of runs that are forgotten, too, where another run took the result over.
        for result in self.work.results.values() {
            of_success(&result.success, &mut visit);
        }
    }

    /// Whether a result that holds this artifact is taken over by who computes the same.
    pub fn offers(&self, artifact: &ArtifactRef) -> bool {
        self.work.holding(artifact).next().is_some()
    }

    /// What an attempt of this step is given to read as things stand: its inputs, its code, and what was saved for it.
    pub fn reads(&self, step: StepRef) -> Vec<ArtifactRef> {
        let Some(run) = self.run(step.run).filter(|run| run.step(step.step).is_some()) else {
            return Vec::new();
        };
        let inputs = crate::inputs::known(run, step.step).into_iter();
        let inputs = inputs.filter_map(|(_, value)| match value {
            InputValue::Artifact(artifact) => Some(artifact),
            InputValue::Literal(_) | InputValue::Uri(_) => None,
        });
        let code = run.graph.template(step.step).work.code;
        let saved = run.state(step.step).checkpoint().copied();
        inputs.chain(code).chain(saved).collect()
    }
}

fn of_plan(run: &Run, visit: &mut impl FnMut(&ArtifactRef)) {
    run.plan().spec.iter().for_each(&mut *visit);
    run.graph
        .templates()
        .filter_map(|template| template.work.code.as_ref())
        .for_each(&mut *visit);
    for step in run.indexes() {
        for (_, binding) in &run.graph.planned(step).inputs {
            if let InputBinding::Value(InputValue::Artifact(artifact)) = binding {
                visit(artifact);
            }
        }
    }
}

fn of_success(success: &Success, visit: &mut impl FnMut(&ArtifactRef)) {
    success.outputs.values().for_each(&mut *visit);
    of_usage(&success.usage, visit);
}

fn of_usage(usage: &AttemptUsage, visit: &mut impl FnMut(&ArtifactRef)) {
    usage.stdout.iter().chain(&usage.stderr).for_each(visit);
}
