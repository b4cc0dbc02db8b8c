//! What the state itself calls for, in this order: runs that stop, steps that are given up, results that are taken over, steps that nobody can
//! execute, runs that end, and last the release of steps to the queues. Level-triggered: the answer depends on the state alone, so that nothing is
//! forgotten when the coordinator dies between a fact and what should follow.

use crate::engine::Engine;
use crate::event::{Event, Fact};
use crate::fleet::Fleet;
use crate::index::{Verdict, shared_key, verdict};
use crate::place::Place;
use crate::quota::Rooms;
use crate::step::StepState;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidemill_protocol::failure::{Failure, FailureReason};
use tidemill_protocol::ids::{AttemptId, FencingToken};
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::StepKind;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::AttemptUsage;

impl Engine {
    /// At most `limit` facts that the state calls for, to be applied in order. The driver asks again until there are none.
    pub fn next(&self, now: Timestamp, fleet: &Fleet, limit: usize) -> Vec<Event> {
        let mut facts = Vec::new();
        let stops = self.index.to_stop.iter().take(limit);
        facts.extend(stops.map(|(run, cause)| Fact::RunStopRequested {
            run: self.at(*run).id,
            cause: *cause,
        }));
        if facts.is_empty() {
            // A stop changes what is given up, so the rest waits until it is applied.
            facts.extend(
                self.index
                    .doomed
                    .iter()
                    .take(limit)
                    .map(|place| self.give_up(*place)),
            );
            let room = limit - facts.len();
            facts.extend(
                self.index
                    .reusable
                    .iter()
                    .take(room)
                    .map(|place| self.reuse(*place)),
            );
            let room = limit - facts.len();
            facts.extend(
                self.index
                    .unexecutable
                    .iter()
                    .take(room)
                    .map(|place| self.unexecutable(*place)),
            );
            let room = limit - facts.len();
            facts.extend(self.index.to_finish.iter().take(room).map(|number| {
                let run = self.at(*number);
                Fact::RunFinished {
                    run: run.id,
                    status: run.final_status(),
                }
            }));
        }
        if facts.is_empty() {
            self.release(fleet, limit, &mut facts);
        }
        facts.into_iter().map(|fact| Event { at: now, fact }).collect()
    }

    fn give_up(&self, place: Place) -> Fact {
        let run = self.at(place.run);
        let state = run.state(place.step);
        let step = run.step_ref(place.step);
        if let Some(given_up) = run.gives_up(place.step) {
            return match (&state.state, state.last_attempt()) {
                (StepState::Dispatched, Some((number, attempt))) => Fact::AttemptStopped {
                    attempt: AttemptId {
                        run: run.id,
                        step: place.step,
                        attempt: number,
                    },
                    token: attempt.token(),
                    by_person: given_up.by_person(),
                    usage: AttemptUsage::default(),
                },
                _ => Fact::StepEnded {
                    step,
                    by_person: given_up.by_person(),
                },
            };
        }
        if let StepState::Blocked(blocked) = &state.state
            && let Verdict::Skip { cause, .. } = verdict(run, place.step, *blocked)
        {
            return Fact::StepSkipped { step, cause };
        }
        unreachable!("only steps that are given up or skipped are doomed")
    }

    fn reuse(&self, place: Place) -> Fact {
        let key = self.step_at(place).key.expect("a step that was ready has a key");
        let result = self
            .work
            .result(&key)
            .expect("steps are reusable while the result is known");
        Fact::StepReused {
            step: self.ref_of(place),
            key,
            source: result.source,
            result: Arc::clone(&result.success),
        }
    }

    fn unexecutable(&self, place: Place) -> Fact {
        let kind = match &self.at(place.run).graph.template(place.step).work.kind {
            StepKind::Other { name, .. } => name.as_str(),
            StepKind::Command(_) | StepKind::Builtin(_) | StepKind::Unknown => "unknown",
        };
        let message = format!(
            "steps of kind {kind} load and plan, but cannot be executed by this version; what works is {}",
            StepKind::instead_of(kind)
        );
        let failure = Failure::with_message(FailureReason::ExecutorMissing, message);
        Fact::StepFailed {
            step: self.ref_of(place),
            failure,
        }
    }

    /// Releases steps of every compute target up to its window, of every project up to its quota. A step whose work another does now becomes its follower when its turn comes.
    fn release(&self, fleet: &Fleet, limit: usize, facts: &mut Vec<Fact>) {
        let mut token = self.next_token;
        let mut taken = BTreeSet::new();
        let mut rooms = Rooms::new(self);
        for (target, lane) in &self.index.lanes {
            let mut free = fleet
                .window(target)
                .saturating_sub(lane.dispatched + lane.running);
            let mut order = lane.order();
            while free > 0 && facts.len() < limit {
                let is_open = |project: &Name| rooms.full(project, target).is_none();
                let Some((project, place)) = order.next(is_open) else {
                    break;
                };
                let run = self.at(place.run);
                let step = run.step_ref(place.step);
                let state = run.state(place.step);
                let key = state.key.expect("a step that was ready has a key");
                if let Some(shared) = shared_key(run, place.step) {
                    if let Some(leader) = self.work.leader(&shared) {
                        facts.push(Fact::StepFollows {
                            step,
                            key,
                            leader: self.ref_of(leader),
                        });
                        continue;
                    }
                    // Its equal is released in this very answer: the next one will say that it follows.
                    if !taken.insert(shared) {
                        break;
                    }
                }
                let attempt = u32::try_from(state.attempts.len()).expect("attempts are limited") + 1;
                facts.push(Fact::AttemptDispatched {
                    attempt: AttemptId {
                        run: step.run,
                        step: step.step,
                        attempt,
                    },
                    token: FencingToken(token),
                    key,
                });
                token += 1;
                free -= 1;
                rooms.take(project, target);
            }
        }
    }
}
