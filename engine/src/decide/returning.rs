//! A worker that was silent for longer than its lease and comes back. Its attempt was given up; as long as nobody has claimed a replacement it keeps it,
//! because days of work may be in it. Once another has claimed, it is fenced.

use crate::attempt::Attempt;
use crate::command::{Command, Rejection};
use crate::engine::Engine;
use crate::event::Fact;
use crate::index::shared_key;
use crate::place::Place;
use crate::step::StepState;
use std::sync::Arc;
use tidemill_protocol::ids::{AttemptId, FencingToken, WorkerId};
use tidemill_protocol::wire::{Heartbeat, Report, ReportBody};

/// A step with so many attempts is not taken up again: a worker that comes and goes without end must not make its list grow without end.
const ATTEMPTS_MAX: usize = 1_000;

impl Engine {
    /// What to ask when a worker says what it works on: to let it keep what was given up as lost and is not replaced. To be decided before
    /// [`Engine::review`] is asked.
    pub fn returning(&self, heartbeat: &Heartbeat) -> Vec<Command> {
        let worker = &heartbeat.worker;
        let lost = heartbeat
            .running
            .iter()
            .filter(|running| self.resumption(worker, &running.attempt, running.token).is_some());
        lost.map(|running| Command::ResumeAttempt {
            worker: worker.clone(),
            attempt: running.attempt,
            token: running.token,
        })
        .collect()
    }

    pub(super) fn decide_resumption(
        &self,
        worker: &WorkerId,
        attempt: &AttemptId,
        token: FencingToken,
    ) -> Result<Fact, Rejection> {
        self.resumption(worker, attempt, token).ok_or(Rejection::Stale)
    }

    /// A report on an attempt that may not change: a good end of one that could be taken up again is accepted with that; what only says that it is
    /// worked on may have waited on the way for long, so the next heartbeat decides.
    pub(super) fn decide_returning(
        &self,
        worker: &WorkerId,
        report: &Report,
    ) -> Result<Vec<Fact>, Rejection> {
        let Some(resumed) = self.resumption(worker, &report.attempt, report.token) else {
            return Err(self.stale(worker, report));
        };
        match &report.body {
            ReportBody::Succeeded(success) => {
                let succeeded = Fact::AttemptSucceeded {
                    attempt: report.attempt,
                    token: report.token,
                    worker: worker.clone(),
                    success: Arc::new(success.clone()),
                };
                Ok(vec![resumed, succeeded])
            }
            // Saved before or during the silence: worth keeping whether the worker lives or not.
            ReportBody::Checkpointed { checkpoint } => {
                let place = self.place_of(report.attempt.step_ref());
                let saved = place.and_then(|place| self.checkpointed(place, report, checkpoint));
                Ok(saved.into_iter().collect())
            }
            ReportBody::Claimed
            | ReportBody::Progress { .. }
            | ReportBody::Failed { .. }
            | ReportBody::Returned
            | ReportBody::Stopped { .. }
            | ReportBody::Preempted { .. }
            | ReportBody::Unknown => Err(Rejection::Stale),
        }
    }

    /// The fact that a worker keeps an attempt which was given up as lost; none when it may not.
    pub(super) fn resumption(&self, worker: &WorkerId, id: &AttemptId, token: FencingToken) -> Option<Fact> {
        let place = self.place_of(id.step_ref())?;
        let step = self.step_at(place);
        let mut back = step.numbered_back();
        let withdrawn = match step.state() {
            StepState::Waiting { .. } => None,
            StepState::Ready if self.is_free(place) => None,
            StepState::Dispatched => Some(back.next()?.0),
            StepState::Blocked(_)
            | StepState::Ready
            | StepState::Following
            | StepState::Running
            | StepState::Succeeded { .. }
            | StepState::Reused { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Cancelled
            | StepState::Aborted => return None,
        };
        let (number, attempt) = back.next()?;
        let given_up = self.at(place.run).gives_up(place.step).is_some();
        // What was lost before the run was retried may have read something else; every loss since then is counted.
        let lost_since = step.tries().crashes > 0;
        let fits = number == id.attempt && attempt.token() == token && is_held_by(attempt, worker);
        let bounded = step.attempts().len() < ATTEMPTS_MAX;
        (fits && lost_since && bounded && !given_up).then(|| Fact::AttemptResumed {
            attempt: *id,
            token,
            worker: worker.clone(),
            withdrawn,
        })
    }

    /// Whether nobody else does or has done the work of a step that is ready.
    fn is_free(&self, place: Place) -> bool {
        shared_key(self.at(place.run), place.step)
            .is_none_or(|key| self.work.leader(&key).is_none() && self.work.result(&key).is_none())
    }
}

fn is_held_by(attempt: &Attempt, worker: &WorkerId) -> bool {
    attempt.is_unheard_of() && attempt.worker() == Some(worker)
}
