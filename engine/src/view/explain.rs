//! Why a step stands as it does, as data; the shells turn it into sentences.

use crate::engine::Engine;
use crate::fleet::{Fleet, Worker};
use crate::index::shared_key;
use crate::place::Place;
use crate::run::RunEnding;
use crate::step::StepState;
use tidemill_protocol::failure::Failure;
use tidemill_protocol::ids::{StepIndex, StepRef, WorkerId};
use tidemill_protocol::name::Name;
use tidemill_protocol::status::StepStatus;
use tidemill_protocol::time::Timestamp;

/// Most steps that one reason names.
const NAMED_MAX: usize = 20;
/// Furthest place in a backlog that is told exactly.
const PLACE_MAX: usize = 10_000;

/// Why a step stands as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The step.
    pub step: StepRef,
    /// How it stands.
    pub status: StepStatus,
    /// The reasons, the most important first.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Steps before it are not terminal.
    WaitsFor {
        /// The first of them.
        steps: Vec<StepIndex>,
        /// How many more there are.
        more: usize,
    },
    /// It is being given up, because its run is.
    RunEnding(RunEnding),
    /// It is about to take over a known result.
    ResultKnown {
        /// Whose.
        source: StepRef,
    },
    /// Another step does the same work now.
    EqualWorkUnderWay {
        /// The step that does it.
        leader: StepRef,
    },
    /// No live worker serves its compute target.
    NoWorker {
        /// The target.
        target: Name,
    },
    /// As many attempts as its compute target takes are in flight.
    WindowFull {
        /// The target.
        target: Name,
        /// Attempts in flight there.
        in_flight: u32,
        /// Slots of its live workers.
        slots: u32,
    },
    /// Its project has as many steps in flight as its quota allows.
    QuotaFull {
        /// The project.
        project: Name,
        /// The compute target that the quota is about; none for all.
        target: Option<Name>,
        /// What it allows.
        limit: u32,
    },
    /// It waits in the backlog of its compute target.
    InBacklog {
        /// The target.
        target: Name,
        /// How many steps go first, or that at least so many do.
        ahead: usize,
        /// Whether there may be more than `ahead`.
        or_more: bool,
        /// All steps that wait there.
        queued: u64,
        /// Since when it waits.
        since: Timestamp,
    },
    /// No executor for its kind is built in.
    NotExecutable,
    /// Its task is in the queue of its compute target.
    InQueue {
        /// The target.
        target: Name,
        /// Which attempt.
        attempt: u32,
        /// Since when.
        since: Timestamp,
    },
    /// A worker makes an attempt at it.
    MadeBy {
        /// The worker.
        worker: WorkerId,
        /// Which attempt.
        attempt: u32,
        /// Since when.
        since: Timestamp,
        /// Whether the worker has been silent for longer than a lease.
        silent: bool,
    },
    /// It pauses before its next attempt.
    PausesUntil {
        /// Until then.
        until: Timestamp,
        /// Why the last attempt failed.
        failure: Option<Failure>,
    },
    /// It ended with a result of its own.
    Executed,
    /// It took over a known result.
    ReusedFrom {
        /// Whose.
        source: StepRef,
    },
    /// It was not run because of a step before it.
    SkippedBecauseOf {
        /// That step.
        cause: StepIndex,
        /// Whether only conditions led here, so that nothing is wrong.
        by_condition: bool,
    },
    /// It failed.
    FailedWith {
        /// Why.
        failure: Option<Failure>,
        /// After how many attempts.
        attempts: usize,
    },
}

impl Engine {
    /// Why a step stands as it does; none when there is no such step.
    pub fn explain(&self, step: StepRef, fleet: &Fleet) -> Option<Explanation> {
        let place = self.place_of(step)?;
        let status = self.step_at(place).status();
        Some(Explanation {
            step,
            status,
            reasons: self.reasons(place, fleet),
        })
    }

    fn reasons(&self, place: Place, fleet: &Fleet) -> Vec<Reason> {
        let run = self.at(place.run);
        let step = run.state(place.step);
        let target = &run.graph.template(place.step).rules.target;
        let mut reasons = Vec::new();
        if run.gives_up(place.step).is_some() {
            reasons.extend(run.ending.clone().map(Reason::RunEnding));
        }
        match &step.state {
            StepState::Blocked(_) => reasons.push(self.waits_for(place)),
            StepState::Ready => reasons.extend(self.why_ready(place, target, fleet)),
            StepState::Following => reasons.extend(self.why_following(place)),
            StepState::Dispatched => {
                if fleet.capacity(target).workers == 0 {
                    reasons.push(Reason::NoWorker {
                        target: target.clone(),
                    });
                }
                reasons.extend(step.last_attempt().map(|(attempt, last)| Reason::InQueue {
                    target: target.clone(),
                    attempt,
                    since: last.dispatched_at(),
                }));
            }
            StepState::Running => reasons.extend(step.last_attempt().and_then(|(attempt, last)| {
                let claim = last.claim()?;
                let silent = fleet.worker(&claim.worker).is_none_or(Worker::is_silent);
                Some(Reason::MadeBy {
                    worker: claim.worker.clone(),
                    attempt,
                    since: claim.at,
                    silent,
                })
            })),
            StepState::Waiting { until } => {
                let failure = step.last_attempt().and_then(|(_, last)| last.failure().cloned());
                reasons.push(Reason::PausesUntil {
                    until: *until,
                    failure,
                });
            }
            StepState::Succeeded { .. } => reasons.push(Reason::Executed),
            StepState::Reused { source, .. } => reasons.push(Reason::ReusedFrom { source: *source }),
            StepState::Skipped { cause, by_condition } => {
                reasons.push(Reason::SkippedBecauseOf {
                    cause: *cause,
                    by_condition: *by_condition,
                });
            }
            StepState::Failed { .. } => reasons.push(Reason::FailedWith {
                failure: step.failure().cloned(),
                attempts: step.attempts.len(),
            }),
            StepState::Cancelled | StepState::Aborted => {
                reasons.extend(run.ending.clone().map(Reason::RunEnding));
            }
        }
        reasons
    }

    fn waits_for(&self, place: Place) -> Reason {
        let run = self.at(place.run);
        let mut steps: Vec<StepIndex> = run
            .before(place.step)
            .filter(|before| !run.state(*before).state.is_terminal())
            .collect();
        steps.sort_unstable();
        let more = steps.len().saturating_sub(NAMED_MAX);
        steps.truncate(NAMED_MAX);
        Reason::WaitsFor { steps, more }
    }

    fn why_ready(&self, place: Place, target: &Name, fleet: &Fleet) -> Vec<Reason> {
        let run = self.at(place.run);
        if self.index.unexecutable.contains(&place) {
            return vec![Reason::NotExecutable];
        }
        if let Some(key) = shared_key(run, place.step) {
            if let Some(result) = self.work.result(&key) {
                return vec![Reason::ResultKnown {
                    source: result.source,
                }];
            }
            if let Some(leader) = self.work.leader(&key) {
                return vec![Reason::EqualWorkUnderWay {
                    leader: self.ref_of(leader),
                }];
            }
        }
        let mut reasons = Vec::new();
        let backlog = self.backlog(target);
        let capacity = fleet.capacity(target);
        let in_flight = backlog.dispatched + backlog.running;
        if capacity.workers == 0 {
            reasons.push(Reason::NoWorker {
                target: target.clone(),
            });
        } else if in_flight >= fleet.window(target) {
            reasons.push(Reason::WindowFull {
                target: target.clone(),
                in_flight,
                slots: capacity.slots,
            });
        }
        if let Some(full) = self.full(run.project(), target) {
            reasons.push(Reason::QuotaFull {
                project: run.project().clone(),
                target: full.target,
                limit: full.limit,
            });
        }
        if let Some(lane) = self.index.lanes.get(target) {
            let ahead = lane.place_of(place, PLACE_MAX);
            reasons.push(Reason::InBacklog {
                target: target.clone(),
                ahead,
                or_more: ahead == PLACE_MAX,
                queued: lane.queued,
                since: run.state(place.step).changed_at,
            });
        }
        reasons
    }

    fn why_following(&self, place: Place) -> Option<Reason> {
        let key = shared_key(self.at(place.run), place.step)?;
        if let Some(result) = self.work.result(&key) {
            return Some(Reason::ResultKnown {
                source: result.source,
            });
        }
        let leader = self
            .work
            .leader(&key)
            .or_else(|| self.work.candidates(&key).next())?;
        Some(Reason::EqualWorkUnderWay {
            leader: self.ref_of(leader),
        })
    }
}
