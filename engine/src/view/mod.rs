//! Read-only pictures of the state for the API: runs, steps, results and backlogs. Nothing here changes anything.

mod artifacts;
mod explain;
mod predict;

pub use explain::{Explanation, Reason};
pub use predict::{Decision, PartChange, PartValue, Prediction, key_parts, predict};

use crate::engine::Engine;
use crate::place::RunNumber;
use crate::run::Run;
use crate::step::StepState;
use crate::work::CachedResult;
use std::ops::Bound;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepRef, WorkerId};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::name::Name;
use tidemill_protocol::time::Timestamp;

/// The backlog of one compute target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Steps that could run and are not released.
    pub queued: u64,
    /// Steps whose task is out and not claimed.
    pub dispatched: u32,
    /// Steps that run.
    pub running: u32,
    /// Since when the longest waiting step waits, in backlog or queue.
    pub oldest: Option<Timestamp>,
}

impl Engine {
    /// The epoch of the coordinator's incarnation that writes now; 0 before the first.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// A run.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.number_of(id).map(|number| self.at(number))
    }

    /// The runs, newest first; those before `before`, if it is given and known.
    pub fn runs_newest_first(&self, before: Option<RunId>) -> impl Iterator<Item = &Run> {
        let end = before
            .and_then(|id| self.number_of(id))
            .unwrap_or(RunNumber(u32::MAX));
        self.runs.range(..end).rev().map(|(_, run)| run)
    }

    /// The runs with these numbers, oldest first, each with its number. Runs are numbered as they are submitted, and no number is given again.
    pub fn runs_numbered(
        &self,
        numbers: (Bound<u32>, Bound<u32>),
    ) -> impl DoubleEndedIterator<Item = (u32, &Run)> {
        let (from, to) = (numbers.0.map(RunNumber), numbers.1.map(RunNumber));
        self.runs.range((from, to)).map(|(number, run)| (number.0, run))
    }

    /// The number of a run.
    pub fn run_number(&self, id: RunId) -> Option<u32> {
        self.number_of(id).map(|number| number.0)
    }

    /// How many runs are known.
    pub fn runs_len(&self) -> usize {
        self.runs.len()
    }

    /// The run that a submission with this key made.
    pub fn run_of_idempotency_key(&self, key: &str) -> Option<&Run> {
        self.index
            .by_idempotency_key
            .get(key)
            .map(|number| self.at(*number))
    }

    /// The runs of a pipeline, newest first; those before `before`, if it is given and known.
    pub fn runs_of_pipeline(&self, pipeline: &Name, before: Option<RunId>) -> impl Iterator<Item = &Run> {
        let end = before
            .and_then(|id| self.number_of(id))
            .unwrap_or(RunNumber(u32::MAX));
        let numbers = self.index.by_pipeline.get(pipeline).into_iter();
        numbers
            .flat_map(move |numbers| numbers.range(..end).rev())
            .map(|number| self.at(*number))
    }

    /// The committed result that a step with this key would take over.
    pub fn cached(&self, key: &StepKey) -> Option<&CachedResult> {
        self.work.result(key)
    }

    /// Every committed result that may be taken over.
    pub fn cached_results(&self) -> impl ExactSizeIterator<Item = (&StepKey, &CachedResult)> {
        self.work.results.iter()
    }

    /// The backlogs of the compute targets that are in use, by name.
    pub fn backlogs(&self) -> impl Iterator<Item = (&Name, Backlog)> {
        self.index.lanes.iter().map(|(target, lane)| {
            let backlog = Backlog {
                queued: lane.queued,
                dispatched: lane.dispatched,
                running: lane.running,
                oldest: lane.oldest(),
            };
            (target, backlog)
        })
    }

    /// The backlog of one compute target; empty when it is not in use.
    pub fn backlog(&self, target: &Name) -> Backlog {
        self.index
            .lanes
            .get(target)
            .map_or_else(Backlog::default, |lane| Backlog {
                queued: lane.queued,
                dispatched: lane.dispatched,
                running: lane.running,
                oldest: lane.oldest(),
            })
    }

    /// The compute target that a step asks for.
    pub fn target_of(&self, step: StepRef) -> Option<&Name> {
        let place = self.place_of(step)?;
        Some(&self.at(place.run).graph.template(place.step).rules.target)
    }

    /// The attempts that this worker has claimed and that are not terminal.
    pub fn running_attempts_of<'a>(
        &'a self,
        worker: &'a WorkerId,
    ) -> impl Iterator<Item = (AttemptId, FencingToken)> + 'a {
        self.running_attempts().filter(move |(attempt, _)| {
            let place = self.place_of(attempt.step_ref());
            let last = place.and_then(|place| self.step_at(place).last_attempt());
            last.is_some_and(|(_, last)| last.worker() == Some(worker))
        })
    }

    /// The attempts that are claimed and not terminal.
    pub fn running_attempts(&self) -> impl Iterator<Item = (AttemptId, FencingToken)> + '_ {
        self.index.in_flight.iter().filter_map(|place| {
            let run = self.at(place.run);
            let step = run.state(place.step);
            let (number, attempt) = step.last_attempt()?;
            matches!(step.state, StepState::Running).then_some((
                AttemptId {
                    run: run.id,
                    step: place.step,
                    attempt: number,
                },
                attempt.token(),
            ))
        })
    }
}
