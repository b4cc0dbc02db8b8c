//! Facts about attempts.

use crate::attempt::{Attempt, FailedEnd, Outcome};
use crate::effect::{Alarm, Effect};
use crate::engine::Engine;
use crate::event::{Event, Fact};
use crate::place::Place;
use crate::run::Run;
use crate::step::{Change, Checkpoint, Step, StepState};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken, StepIndex, WorkerId};
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{AttemptUsage, StopReason, Success};

/// The parts of `Fact::AttemptFailed` beside the attempt.
struct Failed<'a> {
    failure: &'a Failure,
    usage: &'a AttemptUsage,
    retry_at: Option<Timestamp>,
}

impl Engine {
    /// The facts about attempts.
    pub(super) fn apply_to_attempt(&mut self, event: &Event, effects: &mut Vec<Effect>) {
        let at = event.at;
        match &event.fact {
            Fact::AttemptDispatched { attempt, token, .. } => self.dispatch(at, attempt, *token, effects),
            Fact::AttemptClaimed { attempt, worker, .. } => self.claim(at, attempt, worker, effects),
            Fact::AttemptResumed {
                attempt, withdrawn, ..
            } => self.resume(at, attempt, *withdrawn),
            Fact::AttemptSucceeded {
                attempt,
                worker,
                success,
                ..
            } => {
                self.succeed(at, attempt, worker, success);
            }
            Fact::AttemptFailed {
                attempt,
                failure,
                usage,
                retry_at,
                ..
            } => {
                let failed = Failed {
                    failure,
                    usage,
                    retry_at: *retry_at,
                };
                self.fail(at, attempt, &failed, effects);
            }
            Fact::AttemptReturned { attempt, .. } => self.give_back(at, attempt),
            Fact::AttemptPreempted { attempt, usage, .. } => self.preempt(at, attempt, usage),
            Fact::CheckpointSaved {
                attempt, checkpoint, ..
            } => self.save_checkpoint(attempt, *checkpoint),
            Fact::AttemptStopped {
                attempt,
                by_person,
                usage,
                ..
            } => {
                self.stopped(at, attempt, *by_person, usage);
            }
            Fact::EpochStarted { .. }
            | Fact::RunSubmitted { .. }
            | Fact::QuotaSet { .. }
            | Fact::StepsAdded { .. }
            | Fact::RunCancelRequested { .. }
            | Fact::RunStopRequested { .. }
            | Fact::RunRetried { .. }
            | Fact::RunFinished { .. }
            | Fact::RunForgotten { .. }
            | Fact::ArtifactLost { .. }
            | Fact::StepReused { .. }
            | Fact::StepFollows { .. }
            | Fact::StepSkipped { .. }
            | Fact::StepEnded { .. }
            | Fact::StepFailed { .. }
            | Fact::StepRetryDue { .. } => unreachable!("`apply` sends only facts about attempts here"),
        }
    }

    fn dispatch(
        &mut self,
        at: Timestamp,
        attempt: &AttemptId,
        token: FencingToken,
        effects: &mut Vec<Effect>,
    ) {
        let place = self.known(attempt.step_ref());
        self.next_token = self.next_token.max(token.0 + 1);
        self.start_run(place.run, at);
        self.change(place, at, Change::Dispatched, |step| {
            step.attempts.push(Attempt::dispatched(token, at));
        });
        let task = crate::inputs::task(self.at(place.run), place.step, attempt.attempt, token);
        effects.push(Effect::PublishTask(task));
    }

    fn claim(&mut self, at: Timestamp, attempt: &AttemptId, worker: &WorkerId, effects: &mut Vec<Effect>) {
        let place = self.known(attempt.step_ref());
        self.change(place, at, Change::Claimed, |step| {
            step.tries.returns = 0;
            last(step).claimed(worker.clone(), at);
        });
        // The run may have been ended while the task was in the queue.
        effects.extend(stop_effect(self.at(place.run), place.step));
        let replaced = self.step_at(place).numbered_back().nth(1);
        if let Some((number, lost)) = replaced.filter(|(_, before)| before.is_unheard_of()) {
            let replaced = AttemptId {
                attempt: number,
                ..*attempt
            };
            effects.extend(fence(&replaced, lost));
        }
    }

    fn resume(&mut self, at: Timestamp, attempt: &AttemptId, withdrawn: Option<u32>) {
        let place = self.known(attempt.step_ref());
        self.change(place, at, Change::Resumed, |step| {
            if let Some(number) = withdrawn {
                numbered(step, number).ended(at, Outcome::Withdrawn);
            }
            numbered(step, attempt.attempt).resumed();
            step.tries.crashes = step.tries.crashes.saturating_sub(1);
        });
    }

    fn succeed(&mut self, at: Timestamp, attempt: &AttemptId, worker: &WorkerId, success: &Arc<Success>) {
        let place = self.known(attempt.step_ref());
        self.start_run(place.run, at);
        self.hold_result(place, attempt.step_ref(), success, true);
        self.change(place, at, Change::Succeeded(Arc::clone(success)), |step| {
            // Nothing comes after a result: what was saved on the way to it may go.
            step.checkpoint = None;
            let attempt = last(step);
            if attempt.claim().is_none() {
                attempt.claimed(worker.clone(), at);
            }
            attempt.ended(at, Outcome::Succeeded(Arc::clone(success)));
        });
    }

    fn fail(&mut self, at: Timestamp, attempt: &AttemptId, failed: &Failed<'_>, effects: &mut Vec<Effect>) {
        let place = self.known(attempt.step_ref());
        let reason = &failed.failure.reason;
        if let (FailureReason::Lost, None, Some((_, lost))) =
            (reason, failed.retry_at, self.step_at(place).last_attempt())
        {
            // It may be alive behind a broken network. Where it is to be replaced it may come back until the replacement is claimed.
            effects.extend(fence(attempt, lost));
        }
        let end = FailedEnd {
            failure: failed.failure.clone(),
            usage: failed.usage.clone(),
        };
        self.change(
            place,
            at,
            Change::Failed {
                retry_at: failed.retry_at,
            },
            |step| {
                if reason.is_outage() {
                    step.tries.outages = step.tries.outages.saturating_add(1);
                } else if reason.is_infrastructure() {
                    step.tries.crashes = step.tries.crashes.saturating_add(1);
                } else {
                    step.tries.failures = step.tries.failures.saturating_add(1);
                }
                last(step).ended(at, Outcome::Failed(Arc::new(end)));
            },
        );
        if let Some(due) = failed.retry_at {
            effects.push(set_alarm(self.at(place.run), place, due));
        }
    }

    fn give_back(&mut self, at: Timestamp, attempt: &AttemptId) {
        let place = self.known(attempt.step_ref());
        self.change(place, at, Change::Returned, |step| {
            step.tries.returns = step.tries.returns.saturating_add(1);
            last(step).ended(at, Outcome::Returned);
        });
    }

    fn preempt(&mut self, at: Timestamp, attempt: &AttemptId, usage: &AttemptUsage) {
        let place = self.known(attempt.step_ref());
        self.change(place, at, Change::Returned, |step| {
            step.tries.preemptions = step.tries.preemptions.saturating_add(1);
            last(step).ended(at, Outcome::Preempted(Arc::new(usage.clone())));
        });
    }

    fn save_checkpoint(&mut self, attempt: &AttemptId, content: ArtifactRef) {
        let place = self.known(attempt.step_ref());
        let run = self
            .runs
            .get_mut(&place.run)
            .expect("the place is of a known run");
        let step = &mut run.steps[place.step.as_usize()];
        step.checkpoint = step.key.map(|key| Box::new(Checkpoint { key, content }));
    }

    fn stopped(&mut self, at: Timestamp, attempt: &AttemptId, by_person: bool, usage: &AttemptUsage) {
        let place = self.known(attempt.step_ref());
        self.change(place, at, Change::Ended { by_person }, |step| {
            last(step).ended(
                at,
                Outcome::Stopped {
                    by_person,
                    usage: Arc::new(usage.clone()),
                },
            );
        });
    }
}

fn last(step: &mut Step) -> &mut Attempt {
    let attempts = step.attempts.iter_mut();
    attempts
        .rev()
        .find(|attempt| !attempt.is_withdrawn())
        .expect("a step in flight has an attempt")
}

fn numbered(step: &mut Step, number: u32) -> &mut Attempt {
    let place = (number as usize).wrapping_sub(1);
    step.attempts
        .get_mut(place)
        .expect("the fact names an attempt of the step")
}

/// What to tell the worker of an attempt that is no longer its own to make.
fn fence(id: &AttemptId, attempt: &Attempt) -> Option<Effect> {
    Some(Effect::StopAttempt {
        worker: attempt.worker()?.clone(),
        attempt: *id,
        token: attempt.token(),
        reason: StopReason::Fenced,
    })
}

/// What to tell the worker of a running attempt whose run is given up.
pub(crate) fn stop_effect(run: &Run, step: StepIndex) -> Option<Effect> {
    let given_up = run.gives_up(step)?;
    let state = run.state(step);
    if !matches!(state.state(), StepState::Running) {
        return None;
    }
    let (number, attempt) = state.last_attempt()?;
    Some(Effect::StopAttempt {
        worker: attempt.worker()?.clone(),
        attempt: AttemptId {
            run: run.id(),
            step,
            attempt: number,
        },
        token: attempt.token(),
        reason: if given_up.by_person() {
            StopReason::Cancelled
        } else {
            StopReason::Aborted
        },
    })
}

/// The alarm that ends the pause of a waiting step.
pub(crate) fn set_alarm(run: &Run, place: Place, at: Timestamp) -> Effect {
    let (attempt, decided_at) = run
        .state(place.step)
        .last_attempt()
        .map_or((0, at), |(number, attempt)| {
            (number, attempt.end().map_or(at, |end| end.at))
        });
    Effect::SetAlarm {
        at,
        pause: at.since(decided_at),
        alarm: Alarm::RetryStep {
            run: run.id(),
            step: place.step,
            attempt,
        },
    }
}
