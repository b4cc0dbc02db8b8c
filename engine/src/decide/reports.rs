//! What workers and the broker say about attempts. Only the last attempt of a step, not terminal, under its own token, can change; everything else is
//! stale, and a worker that works on something stale is told to stop.

use crate::attempt::Attempt;
use crate::command::Rejection;
use crate::engine::Engine;
use crate::event::Fact;
use crate::place::Place;
use crate::retry::retry_at;
use crate::run::{GivenUp, RunEnding};
use crate::step::StepState;
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken, WorkerId};
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{AttemptUsage, Report, ReportBody, StopReason};

/// How often in a row a step may be given back unstarted before that counts as a failure of the machines.
pub(crate) const RETURNS_MAX: u16 = 20;

/// How often the machine may be taken away from a step before that counts as a failure of the machines.
pub(crate) const PREEMPTIONS_MAX: u16 = 100;

/// An attempt that may still change.
#[derive(Clone, Copy)]
struct Live<'a> {
    place: Place,
    id: AttemptId,
    attempt: &'a Attempt,
}

impl Engine {
    pub(super) fn decide_report(
        &self,
        now: Timestamp,
        worker: &WorkerId,
        report: &Report,
    ) -> Result<Vec<Fact>, Rejection> {
        let (attempt, token) = (report.attempt, report.token);
        let live = self
            .live(&attempt, token)
            .filter(|live| live.attempt.worker().is_none_or(|w| w == worker));
        let Some(live) = live else {
            return self.decide_returning(worker, report);
        };
        let fact = match &report.body {
            ReportBody::Claimed if live.attempt.claim().is_some() => return Err(Rejection::Stale),
            ReportBody::Claimed => Fact::AttemptClaimed {
                attempt,
                token,
                worker: worker.clone(),
            },
            ReportBody::Progress { .. } => return Ok(Vec::new()),
            ReportBody::Succeeded(success) => Fact::AttemptSucceeded {
                attempt,
                token,
                worker: worker.clone(),
                success: Arc::new(success.clone()),
            },
            ReportBody::Failed { failure, usage } => self.failed(now, live, failure.clone(), usage.clone()),
            ReportBody::Returned => self.returned(now, live),
            ReportBody::Stopped { usage } => self.stopped_by_worker(now, live, usage.clone()),
            ReportBody::Checkpointed { checkpoint } => {
                return Ok(self
                    .checkpointed(live.place, report, checkpoint)
                    .into_iter()
                    .collect());
            }
            ReportBody::Preempted { usage } => self.preempted(now, live, usage.clone()),
            ReportBody::Unknown => return Err(Rejection::UnknownReport),
        };
        Ok(vec![fact])
    }

    pub(super) fn decide_expiry(
        &self,
        now: Timestamp,
        attempt: &AttemptId,
        token: FencingToken,
    ) -> Result<Fact, Rejection> {
        let live = self.live(attempt, token).ok_or(Rejection::Stale)?;
        if live.attempt.claim().is_none() {
            return Err(Rejection::Stale);
        }
        Ok(self.failed(
            now,
            live,
            Failure::new(FailureReason::Lost),
            AttemptUsage::default(),
        ))
    }

    pub(super) fn decide_dead_letter(
        &self,
        now: Timestamp,
        attempt: &AttemptId,
        token: FencingToken,
    ) -> Result<Fact, Rejection> {
        let live = self.live(attempt, token).ok_or(Rejection::Stale)?;
        // A claimed attempt is in good hands: what was set aside is a repetition of its task.
        if live.attempt.claim().is_some() {
            return Err(Rejection::Stale);
        }
        Ok(self.failed(
            now,
            live,
            Failure::new(FailureReason::DeadLettered),
            AttemptUsage::default(),
        ))
    }

    /// The attempt, if it may still change under this token.
    fn live(&self, id: &AttemptId, token: FencingToken) -> Option<Live<'_>> {
        let place = self.place_of(id.step_ref())?;
        let step = self.step_at(place);
        let (number, attempt) = step.last_attempt()?;
        let live = number == id.attempt && attempt.token() == token && step.state().is_in_flight();
        live.then_some(Live {
            place,
            id: *id,
            attempt,
        })
    }

    fn failed(&self, now: Timestamp, live: Live<'_>, failure: Failure, usage: AttemptUsage) -> Fact {
        let (attempt, token) = (live.id, live.attempt.token());
        let run = self.at(live.place.run);
        let given_up = run.gives_up(live.place.step);
        // A signal is how a process ends that is being stopped; an exit code is its own.
        let is_consequence =
            failure.reason.is_infrastructure() || matches!(failure.reason, FailureReason::Signal { .. });
        match given_up {
            Some(given_up) if is_consequence => stopped(live, given_up, usage),
            Some(_) => Fact::AttemptFailed {
                attempt,
                token,
                failure,
                usage,
                retry_at: None,
            },
            None => {
                let retry_at = retry_at(run, live.place.step, attempt, &failure.reason, now);
                Fact::AttemptFailed {
                    attempt,
                    token,
                    failure,
                    usage,
                    retry_at,
                }
            }
        }
    }

    fn returned(&self, now: Timestamp, live: Live<'_>) -> Fact {
        if self.step_at(live.place).tries().returns < RETURNS_MAX {
            return Fact::AttemptReturned {
                attempt: live.id,
                token: live.attempt.token(),
            };
        }
        let message = format!("given back unstarted {} times in a row", RETURNS_MAX + 1);
        let failure = Failure::with_message(FailureReason::Refused, message);
        self.failed(now, live, failure, AttemptUsage::default())
    }

    /// None when the step did not ask for it, or it is what is saved already.
    pub(super) fn checkpointed(
        &self,
        place: Place,
        report: &Report,
        checkpoint: &ArtifactRef,
    ) -> Option<Fact> {
        let wanted = self
            .at(place.run)
            .graph
            .template(place.step)
            .rules
            .checkpoint
            .is_some();
        let known = self.step_at(place).checkpoint() == Some(checkpoint);
        (wanted && !known).then_some(Fact::CheckpointSaved {
            attempt: report.attempt,
            token: report.token,
            checkpoint: *checkpoint,
        })
    }

    fn preempted(&self, now: Timestamp, live: Live<'_>, usage: AttemptUsage) -> Fact {
        if let Some(given_up) = self.at(live.place.run).gives_up(live.place.step) {
            return stopped(live, given_up, usage);
        }
        if self.step_at(live.place).tries().preemptions < PREEMPTIONS_MAX {
            return Fact::AttemptPreempted {
                attempt: live.id,
                token: live.attempt.token(),
                usage,
            };
        }
        let message = format!("its machine was taken away {} times", PREEMPTIONS_MAX + 1);
        let failure = Failure::with_message(FailureReason::Lost, message);
        self.failed(now, live, failure, usage)
    }

    /// A worker stops only when it is told to; one that stops of its own accord has lost the attempt.
    fn stopped_by_worker(&self, now: Timestamp, live: Live<'_>, usage: AttemptUsage) -> Fact {
        if let Some(given_up) = self.at(live.place.run).gives_up(live.place.step) {
            return stopped(live, given_up, usage);
        }
        let failure = Failure::with_message(FailureReason::Lost, "the worker stopped it unasked");
        self.failed(now, live, failure, usage)
    }

    pub(super) fn stale(&self, worker: &WorkerId, report: &Report) -> Rejection {
        match report.body {
            ReportBody::Claimed | ReportBody::Progress { .. } => Rejection::Fenced {
                worker: worker.clone(),
                attempt: report.attempt,
                token: report.token,
                reason: self.stop_reason(&report.attempt),
            },
            ReportBody::Succeeded(_)
            | ReportBody::Failed { .. }
            | ReportBody::Returned
            | ReportBody::Stopped { .. }
            | ReportBody::Checkpointed { .. }
            | ReportBody::Preempted { .. }
            | ReportBody::Unknown => Rejection::Stale,
        }
    }

    /// What to tell a worker that works on an attempt which is not its own to make (any more).
    pub(crate) fn stop_reason(&self, attempt: &AttemptId) -> StopReason {
        let ended = self
            .place_of(attempt.step_ref())
            .map(|place| (&self.step_at(place).state, self.at(place.run)));
        match ended {
            Some((StepState::Cancelled, _)) => StopReason::Cancelled,
            Some((StepState::Aborted, _)) => StopReason::Aborted,
            Some((_, run)) if matches!(run.ending, Some(RunEnding::CancelledForGood { .. })) => {
                StopReason::Cancelled
            }
            Some(_) | None => StopReason::Fenced,
        }
    }
}

fn stopped(live: Live<'_>, given_up: GivenUp, usage: AttemptUsage) -> Fact {
    Fact::AttemptStopped {
        attempt: live.id,
        token: live.attempt.token(),
        by_person: given_up.by_person(),
        usage,
    }
}
