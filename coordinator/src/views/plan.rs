//! What a submission would do, step by step, with a reason for each.

use super::changes::Phrased;
use super::step::step_name;
use std::sync::Arc;
use tidemill_engine::{Decision, Engine, PartChange, Prediction, predict};
use tidemill_protocol::api::{PlanDecision, PlannedStepView};
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::{InputBinding, Plan};

/// A step's prediction, with the changes of its key still to be put into words.
#[derive(Debug)]
pub(crate) struct DraftStep {
    view: PlannedStepView,
    pub(crate) changes: Vec<PartChange>,
}

impl DraftStep {
    /// The finished view.
    pub(crate) fn finish(mut self, changes: &[Phrased]) -> PlannedStepView {
        let said = self.view.reasons.split_off(0);
        self.view.reasons = changes.iter().map(Phrased::text).chain(said).collect();
        self.view
    }
}

/// What would happen to each step of a plan, in plan order.
pub(crate) fn draft_plan(engine: &Engine, plan: &Arc<Plan>) -> Vec<DraftStep> {
    let predictions = predict(engine, plan);
    predictions
        .into_iter()
        .map(|prediction| {
            let planned = &plan.steps[prediction.step.as_usize()];
            let path_of = |step: &StepIndex| plan.steps[step.as_usize()].path.clone();
            let mut before: Vec<StepIndex> = planned.after.clone();
            before.extend(planned.inputs.iter().filter_map(|(_, binding)| match binding {
                InputBinding::Step(source) => Some(source.step),
                InputBinding::Value(_) => None,
            }));
            before.sort_unstable();
            before.dedup();
            let view = PlannedStepView {
                path: planned.path.clone(),
                target: plan.template(planned).rules.target.clone(),
                decision: match prediction.decision {
                    Decision::Reuse => PlanDecision::Reuse,
                    Decision::Run => PlanDecision::Run,
                    Decision::Undecided => PlanDecision::Undecided,
                },
                reasons: reasons(engine, plan, &prediction),
                depends_on: before.iter().map(path_of).collect(),
            };
            DraftStep {
                view,
                changes: prediction.changes,
            }
        })
        .collect()
}

fn reasons(engine: &Engine, plan: &Plan, prediction: &Prediction) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(source) = prediction.source {
        reasons.push(format!("same work as {}", step_name(engine, source)));
    }
    if let Some(leader) = prediction.under_way {
        reasons.push(format!(
            "waits for the same work in {}",
            step_name(engine, leader)
        ));
    }
    if prediction.reuse_off && prediction.decision == Decision::Run {
        reasons.push("reuse is switched off".to_owned());
    }
    if !prediction.waits_for.is_empty() {
        let names: Vec<&str> = prediction
            .waits_for
            .iter()
            .map(|step| plan.steps[step.as_usize()].path.as_str())
            .collect();
        reasons.push(format!("waits for {}", names.join(", ")));
    }
    if prediction.decision == Decision::Run && prediction.changes.is_empty() && reasons.is_empty() {
        reasons.push(match prediction.earlier {
            None => "never run before".to_owned(),
            Some(_) => "no result of it is known".to_owned(),
        });
    }
    reasons
}
