//! A result that lies in the store while the journal lost how it came about: a coordinator whose disk is gone goes on from an older journal, and what its
//! workers committed meanwhile is taken over where nothing speaks against it. The facts are those that the lost journal must have held in some form.

use crate::command::{FoundResult, Rejection};
use crate::engine::Engine;
use crate::event::Fact;
use crate::index::shared_key;
use crate::place::Place;
use crate::step::{Step, StepState};
use std::sync::Arc;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken, WorkerId};
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::{AttemptUsage, Success};

/// Attempts before the found one of which the journal may know nothing.
const UNKNOWN_ATTEMPTS_MAX: u64 = 1_000;
/// Who made an attempt of whose claim nothing is known.
const NOBODY_KNOWN: &str = "recovered";

impl Engine {
    /// The facts that make what was found in the store the result of its step, or why it must not be.
    pub(super) fn decide_adoption(
        &self,
        now: Timestamp,
        found: &FoundResult,
    ) -> Result<Vec<Fact>, Rejection> {
        let refuse = |why: &str| Err(Rejection::NotAdoptable(why.to_owned()));
        let id = found.attempt;
        let Some(place) = self.place_of(id.step_ref()) else {
            return refuse("its run is not in the journal");
        };
        let step = self.step_at(place);
        if step.state().is_terminal() {
            return refuse("its step has ended");
        }
        if self.at(place.run).gives_up(place.step).is_some() {
            return refuse("its run is being ended");
        }
        if step.state().is_blocked() {
            return refuse("a step before it has no result in the journal or the store");
        }
        if step.key() != Some(&found.key) {
            return refuse("its step reads something else now");
        }
        self.check_outputs(place, found)?;
        let number = id.attempt as usize;
        let known = number.checked_sub(1).and_then(|at| step.attempts().get(at));
        match known {
            Some(known) if known.token() == found.token => self.adopt_known(step, found),
            Some(_) => refuse("the journal knows another attempt of its number"),
            None if number == 0 => refuse("attempts are counted from 1"),
            None => self.adopt_unknown(now, place, found),
        }
    }

    /// A worker may add outputs that are not declared; it never leaves one out that must be there.
    fn check_outputs(&self, place: Place, found: &FoundResult) -> Result<(), Rejection> {
        let declared = &self.at(place.run).graph.template(place.step).work.outputs;
        let mut needed = declared.iter().filter(|(_, port)| !port.optional);
        match needed.find(|(name, _)| !found.outputs.contains_key(*name)) {
            Some((name, _)) => Err(Rejection::NotAdoptable(format!("it lacks the output {name}"))),
            None => Ok(()),
        }
    }

    /// The journal knows the attempt, and not how it ended; or believes that nobody has heard of it.
    fn adopt_known(&self, step: &Step, found: &FoundResult) -> Result<Vec<Fact>, Rejection> {
        let last = step
            .last_attempt()
            .filter(|(number, _)| *number == found.attempt.attempt);
        if let Some((_, attempt)) = last.filter(|_| step.state().is_in_flight()) {
            return Ok(vec![succeeded(found, attempt.worker())]);
        }
        let place = found.attempt.attempt as usize - 1;
        let worker = step.attempts().get(place).and_then(|attempt| attempt.worker());
        let resumed = worker.and_then(|worker| self.resumption(worker, &found.attempt, found.token));
        match resumed {
            Some(resumed) => Ok(vec![resumed, succeeded(found, worker)]),
            None => Err(Rejection::NotAdoptable(
                "the journal knows another end of the attempt".to_owned(),
            )),
        }
    }

    /// The attempt was made out after the journal's end. Whatever was in flight before it was given up then; attempts between the two are as unknown.
    fn adopt_unknown(
        &self,
        now: Timestamp,
        place: Place,
        found: &FoundResult,
    ) -> Result<Vec<Fact>, Rejection> {
        let step = self.step_at(place);
        let others_work = shared_key(self.at(place.run), place.step).is_some_and(|key| {
            self.work.result(&key).is_some() || self.work.leader(&key).is_some_and(|leader| leader != place)
        });
        if others_work || matches!(step.state(), StepState::Following) {
            return Err(Rejection::NotAdoptable(
                "another step does or did the same work".to_owned(),
            ));
        }
        let known = step.attempts().len() as u64;
        let unknown = u64::from(found.attempt.attempt) - 1 - known;
        let room = found.token.0.checked_sub(self.next_token);
        if unknown > UNKNOWN_ATTEMPTS_MAX || room.is_none_or(|room| room < unknown) {
            return Err(Rejection::NotAdoptable(
                "its token does not follow on those of the journal".to_owned(),
            ));
        }
        let mut facts = Vec::new();
        let due = Fact::StepRetryDue {
            step: found.attempt.step_ref(),
        };
        if let Some((number, attempt)) = step.last_attempt().filter(|_| step.state().is_in_flight()) {
            let id = AttemptId {
                attempt: number,
                ..found.attempt
            };
            facts.extend([lost(id, attempt.token(), now), due.clone()]);
        } else if matches!(step.state(), StepState::Waiting { .. }) {
            facts.push(due.clone());
        }
        for (number, token) in (known + 1..u64::from(found.attempt.attempt)).zip(self.next_token..) {
            let id = AttemptId {
                attempt: u32::try_from(number).expect("it is below another attempt's number"),
                ..found.attempt
            };
            let token = FencingToken(token);
            facts.extend([dispatched(id, token, found), lost(id, token, now), due.clone()]);
        }
        facts.push(dispatched(found.attempt, found.token, found));
        facts.push(succeeded(found, None));
        Ok(facts)
    }
}

fn dispatched(attempt: AttemptId, token: FencingToken, found: &FoundResult) -> Fact {
    Fact::AttemptDispatched {
        attempt,
        token,
        key: found.key,
    }
}

fn lost(attempt: AttemptId, token: FencingToken, now: Timestamp) -> Fact {
    Fact::AttemptFailed {
        attempt,
        token,
        failure: Failure::with_message(FailureReason::Lost, "what became of it was lost with the journal"),
        usage: AttemptUsage::default(),
        retry_at: Some(now),
    }
}

fn succeeded(found: &FoundResult, worker: Option<&WorkerId>) -> Fact {
    let unknown = || NOBODY_KNOWN.parse().expect("it is a name");
    let usage = AttemptUsage {
        notes: vec!["found in the store after the journal was lost".to_owned()],
        ..AttemptUsage::default()
    };
    Fact::AttemptSucceeded {
        attempt: found.attempt,
        token: found.token,
        worker: worker.cloned().unwrap_or_else(unknown),
        success: Arc::new(Success {
            outputs: found.outputs.clone(),
            manifest: Some(found.manifest),
            usage,
        }),
    }
}
