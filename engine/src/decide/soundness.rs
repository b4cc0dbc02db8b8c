//! Whether a plan, or steps to be added to one, keep the rules that the engine relies on. The language never breaks them; other clients may.

use crate::graph::{find_circle, predecessors};
use crate::run::Run;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::{InputBinding, Plan, PlannedStep, StepOutput, StepTemplate};

/// What steps may refer to.
struct Surroundings<'a> {
    /// The run to which steps are added, if it exists already.
    run: Option<&'a Run>,
    templates: &'a [Arc<StepTemplate>],
    steps: &'a [PlannedStep],
}

/// Checks a whole plan.
pub(super) fn check_plan(plan: &Plan) -> Result<(), String> {
    let all = Surroundings {
        run: None,
        templates: &plan.templates,
        steps: &plan.steps,
    };
    all.check()?;
    for (name, output) in &plan.outputs {
        all.check_output(output)
            .map_err(|why| format!("the pipeline's output {name} {why}"))?;
    }
    Ok(())
}

/// Checks steps that are to be added to a run.
pub(super) fn check_added(
    run: &Run,
    templates: &[Arc<StepTemplate>],
    steps: &[PlannedStep],
) -> Result<(), String> {
    let all = Surroundings {
        run: Some(run),
        templates,
        steps,
    };
    all.check()?;
    // One look at every old step: steps are added in few large commands, and a table of names for each run would cost more.
    let names: BTreeSet<&str> = steps.iter().map(|step| step.path.as_str()).collect();
    let taken = run.indexes().map(|step| &run.graph.planned(step).path);
    match taken.into_iter().find(|path| names.contains(path.as_str())) {
        Some(path) => Err(format!("there is a step {path} already")),
        None => Ok(()),
    }
}

impl Surroundings<'_> {
    fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for step in self.steps {
            if !names.insert(step.path.as_str()) {
                return Err(format!("two steps are named {}", step.path));
            }
            self.check_step(step)
                .map_err(|why| format!("step {} {why}", step.path))?;
        }
        match find_circle(self.old_steps(), self.steps) {
            Some(step) => Err(format!(
                "step {} waits for itself through others",
                self.path(step)
            )),
            None => Ok(()),
        }
    }

    fn check_step(&self, step: &PlannedStep) -> Result<(), String> {
        if self.template(step.template).is_none() {
            return Err(format!("has template {}, which does not exist", step.template));
        }
        if !step.inputs.is_sorted_by(|(left, _), (right, _)| left < right) {
            return Err("has inputs out of order or twice".into());
        }
        if !step.after.is_sorted_by(|left, right| left < right) {
            return Err("names the steps before it out of order or twice".into());
        }
        for (name, binding) in &step.inputs {
            if let InputBinding::Step(output) = binding {
                self.check_output(output)
                    .map_err(|why| format!("has an input {name} that {why}"))?;
            }
        }
        match predecessors(step).find(|before| self.planned(*before).is_none()) {
            Some(before) => Err(format!("waits for step number {before}, which does not exist")),
            None => Ok(()),
        }
    }

    fn check_output(&self, output: &StepOutput) -> Result<(), String> {
        let Some(step) = self.planned(output.step) else {
            return Err(format!("names step number {}, which does not exist", output.step));
        };
        let declared = self
            .template(step.template)
            .is_some_and(|template| template.work.outputs.contains_key(&output.output));
        if declared {
            Ok(())
        } else {
            Err(format!(
                "names output {} of step {}, which is not declared",
                output.output, step.path
            ))
        }
    }

    fn old_steps(&self) -> u32 {
        self.run.map_or(0, |run| run.graph.len())
    }

    fn planned(&self, step: StepIndex) -> Option<&PlannedStep> {
        match step.0.checked_sub(self.old_steps()) {
            Some(place) => self.steps.get(place as usize),
            None => self.run.and_then(|run| run.graph.get(step)),
        }
    }

    fn path(&self, step: StepIndex) -> &str {
        self.planned(step).map_or("", |step| step.path.as_str())
    }

    fn template(&self, place: u32) -> Option<&Arc<StepTemplate>> {
        let place = place as usize;
        let old = self.run.map_or(0, |run| run.graph.templates_len());
        match (place.checked_sub(old), self.run) {
            (Some(place), _) => self.templates.get(place),
            (None, Some(run)) => run.graph.templates().nth(place),
            (None, None) => None,
        }
    }
}
