//! What each fact changes, and what must be done about it. `apply` cannot fail on a fact that `decide` or `next` made on this state; on any other
//! it panics, because a wrong state must never be written.

pub(crate) mod attempts;
mod runs;

use crate::effect::Effect;
use crate::engine::Engine;
use crate::event::{Event, Fact};
use crate::step::Change;
use tidemill_protocol::ids::StepRef;
use tidemill_protocol::name::Name;
use tidemill_protocol::project::Quota;
use tidemill_protocol::time::Timestamp;

impl Engine {
    /// Changes the state by one fact and adds what must be done to `effects`. The effects may be performed once the fact is durable; on replay they
    /// are dropped, and [`Engine::outstanding`] says what is still to be done.
    ///
    /// # Panics
    /// When the fact does not fit the state: then it was not made by `decide` or `next` on this state.
    pub fn apply(&mut self, event: &Event, effects: &mut Vec<Effect>) {
        let at = event.at;
        match &event.fact {
            Fact::EpochStarted { epoch } => self.start_epoch(*epoch),
            Fact::RunSubmitted {
                run,
                plan,
                submitted_by,
                idempotency_key,
            } => {
                self.submit(at, *run, plan, submitted_by, idempotency_key.as_deref());
            }
            Fact::QuotaSet { project, quota } => self.set_quota(project, quota),
            Fact::StepsAdded {
                run,
                templates,
                steps,
            } => self.add_steps(at, *run, templates, steps),
            Fact::RunCancelRequested { run, by } => self.cancel(at, *run, by, effects),
            Fact::RunStopRequested { run, cause } => self.stop(*run, *cause, effects),
            Fact::RunRetried { run, by } => self.retry(at, *run, by),
            Fact::RunFinished { run, status } => self.finish(at, *run, *status),
            Fact::RunForgotten { run } => self.forget(*run),
            Fact::ArtifactLost { artifact } => self.lose(artifact),
            Fact::StepReused {
                step, source, result, ..
            } => self.reused(at, *step, *source, result),
            Fact::StepFollows { step, .. } => self.alter(*step, at, Change::Followed),
            Fact::StepSkipped { step, cause } => self.skip(at, *step, *cause),
            Fact::StepEnded { step, by_person } => {
                self.alter(
                    *step,
                    at,
                    Change::Ended {
                        by_person: *by_person,
                    },
                );
            }
            Fact::StepFailed { step, failure } => {
                self.alter(*step, at, Change::Unexecutable(failure.clone()));
            }
            Fact::StepRetryDue { step } => self.alter(*step, at, Change::RetryDue),
            Fact::AttemptDispatched { .. }
            | Fact::AttemptClaimed { .. }
            | Fact::AttemptResumed { .. }
            | Fact::AttemptPreempted { .. }
            | Fact::CheckpointSaved { .. }
            | Fact::AttemptSucceeded { .. }
            | Fact::AttemptFailed { .. }
            | Fact::AttemptReturned { .. }
            | Fact::AttemptStopped { .. } => self.apply_to_attempt(event, effects),
        }
    }

    /// A change of a step that has nothing but its row in the table.
    fn alter(&mut self, step: StepRef, at: Timestamp, change: Change) {
        self.change(self.known(step), at, change, |_| {});
    }

    fn set_quota(&mut self, project: &Name, quota: &Quota) {
        if quota.is_none() {
            self.quotas.remove(project);
        } else {
            self.quotas.insert(project.clone(), quota.clone());
        }
    }

    /// Tokens of a later epoch are larger than all of an earlier one, also than those that a lost tail of the journal may have held.
    fn start_epoch(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.next_token = self.next_token.max((epoch << EPOCH_SHIFT) + 1);
    }
}

/// An epoch has room for 2^32 attempts.
const EPOCH_SHIFT: u32 = 32;
