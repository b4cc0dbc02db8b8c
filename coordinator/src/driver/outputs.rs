//! Outputs that their pipelines give names: what becomes of them in the catalog is decided beside the fact that their step ended well, and made durable with it.
//! What an earlier process left undecided, because its journal was cut there or was recovered from the store, is decided first of all. What ledgers say of a run that is
//! forgotten goes with it here, too.

use super::{BATCH_EVENTS_MAX, Driver, InHand};
use crate::catalog::{CatalogFact, NamedOutput};
use crate::ledger::{LedgerEvent, LedgerFact};
use crate::remarks::RemarkFact;
use tidemill_engine::{Event, Fact, Run};
use tidemill_protocol::ids::{RunId, StepIndex, StepRef};
use tidemill_protocol::status::StepStatus;

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A step that ended well and names outputs.
    Step(StepRef),
    /// A run that was forgotten.
    Forgotten(RunId),
}

impl Driver {
    /// Notes the steps that ended well before this process began, those of the oldest run first.
    pub(super) fn note_unsettled(&mut self) {
        let mut found: Vec<Due> = Vec::new();
        for run in self.engine.runs_newest_first(None) {
            let names_any = run
                .plan()
                .templates
                .iter()
                .any(|template| !template.rules.registers.is_empty());
            if !names_any {
                continue;
            }
            let steps = (0..run.counts().total).rev().map(StepIndex);
            let due = steps.filter(|step| !outputs_of(run, *step).is_empty());
            found.extend(due.map(|step| Due::Step(StepRef { run: run.id(), step })));
        }
        self.due.extend(found.into_iter().rev());
        let said = self.ledgers.remarks.runs();
        let orphans = said.filter(|run| self.engine.run(*run).is_none());
        self.due.extend(orphans.map(Due::Forgotten));
    }

    /// What was just said of a run that is not known, or not any more, goes again.
    pub(super) fn note_said(&mut self, events: &[LedgerEvent]) {
        for event in events {
            if let LedgerFact::Remarks(fact) = &event.fact
                && self.engine.run(fact.run()).is_none()
            {
                self.due.push_back(Due::Forgotten(fact.run()));
            }
        }
    }

    /// Notes what follows from an event that was just applied.
    pub(super) fn note_due(&mut self, event: &Event) {
        let step = match &event.fact {
            Fact::AttemptSucceeded { attempt, .. } => attempt.step_ref(),
            Fact::StepReused { step, .. } => *step,
            Fact::RunForgotten { run } => {
                if self.ledgers.catalog.has_settled(*run) || self.ledgers.remarks.of(*run).is_some() {
                    self.due.push_back(Due::Forgotten(*run));
                }
                return;
            }
            _ => return,
        };
        let run = self.engine.run(step.run);
        let template = run.and_then(|run| run.template(step.step));
        if template.is_some_and(|template| !template.rules.registers.is_empty()) {
            self.due.push_back(Due::Step(step));
        }
    }

    /// Decides what is due, as far as it fits the batch; answers whether there is more.
    pub(super) fn settle_outputs(&mut self, hand: &mut InHand) -> bool {
        while hand.ledgers.len() < BATCH_EVENTS_MAX {
            let Some(due) = self.due.pop_front() else {
                return false;
            };
            match due {
                Due::Forgotten(run) => self.forget(run, hand),
                Due::Step(step) => {
                    let run = self.engine.run(step.run);
                    for output in run.map(|run| outputs_of(run, step.step)).unwrap_or_default() {
                        let facts = self.ledgers.catalog.settle(self.clock.now(), &output);
                        self.note_facts(facts, hand);
                    }
                }
            }
        }
        !self.due.is_empty()
    }

    fn forget(&mut self, run: RunId, hand: &mut InHand) {
        if self.ledgers.catalog.has_settled(run) {
            self.note_facts(vec![CatalogFact::OutputsForgotten { run }], hand);
        }
        if self.ledgers.remarks.of(run).is_some() {
            self.note_facts(vec![RemarkFact::RemarksForgotten { run }], hand);
        }
    }

    fn note_facts(&mut self, facts: Vec<impl Into<LedgerFact>>, hand: &mut InHand) {
        for fact in facts {
            let event = LedgerEvent {
                at: self.clock.now(),
                fact: fact.into(),
            };
            self.ledgers.apply(&event);
            hand.ledgers.push(event);
        }
    }
}

/// The outputs of a step that its pipeline gives names, once the step ended well.
fn outputs_of(run: &Run, index: StepIndex) -> Vec<NamedOutput> {
    let (Some(step), Some(planned), Some(template)) =
        (run.step(index), run.planned(index), run.template(index))
    else {
        return Vec::new();
    };
    let Some(result) = step.result() else {
        return Vec::new();
    };
    let named = template.rules.registers.iter();
    let present = named.filter_map(|(output, registration)| {
        Some(NamedOutput {
            run: run.id(),
            step: planned.path.clone(),
            output: output.clone(),
            artifact: *result.outputs.get(output)?,
            reused: step.status() == StepStatus::Reused,
            registration: registration.clone(),
            by: run.submitted_by().to_owned(),
        })
    });
    present.collect()
}
