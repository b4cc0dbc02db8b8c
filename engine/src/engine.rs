//! The engine's state and the one way in which a step of it changes. What may change is decided in `decide` and `next`, what a fact changes in
//! `apply`; this file only keeps the derived part in step.

use crate::index::{Index, Verdict, file, unfile, verdict};
use crate::place::{Place, RunNumber};
use crate::run::Run;
use crate::step::{Change, Ending, Step, StepState};
use crate::work::Work;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill_protocol::ids::{RunId, StepIndex, StepRef};
use tidemill_protocol::name::Name;
use tidemill_protocol::project::Quota;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::Success;

/// Everything that is known of runs, steps and attempts. Equal journals give equal engines.
///
/// Serialization is the snapshot: what can be derived is left out and derived again on reading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Engine {
    pub(crate) epoch: u64,
    pub(crate) next_token: u64,
    pub(crate) next_run: u32,
    pub(crate) runs: BTreeMap<RunNumber, Run>,
    pub(crate) work: Work,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) quotas: BTreeMap<Name, Quota>,
    #[serde(skip)]
    pub(crate) index: Index,
}

#[derive(Deserialize)]
struct Stored {
    epoch: u64,
    next_token: u64,
    next_run: u32,
    runs: BTreeMap<RunNumber, Run>,
    work: Work,
    #[serde(default)]
    quotas: BTreeMap<Name, Quota>,
}

impl From<Stored> for Engine {
    fn from(stored: Stored) -> Self {
        let Stored {
            epoch,
            next_token,
            next_run,
            runs,
            work,
            quotas,
        } = stored;
        let mut engine = Self {
            epoch,
            next_token,
            next_run,
            runs,
            work,
            quotas,
            index: Index::default(),
        };
        engine.share_results();
        engine.derive();
        engine
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine that knows nothing.
    pub fn new() -> Self {
        Self {
            epoch: 0,
            next_token: 1,
            next_run: 0,
            runs: BTreeMap::new(),
            work: Work::default(),
            quotas: BTreeMap::new(),
            index: Index::default(),
        }
    }

    /// Notes what a run calls for after its counts, its ending or its end changed other than by a step's end.
    pub(crate) fn judge(&mut self, number: RunNumber) {
        let run = self
            .runs
            .get(&number)
            .expect("numbers of runs are kept as long as the runs");
        self.index.judge_run(run, None);
    }

    /// Makes the derived part from the rest.
    pub(crate) fn derive(&mut self) {
        self.index = Index::default();
        self.work.forget_derived();
        for run in self.runs.values() {
            self.index.add_run(run);
            let mut failed = None;
            for step in run.indexes() {
                file(run, step, &mut self.work, &mut self.index);
                if failed.is_none() && matches!(run.state(step).state, StepState::Failed { .. }) {
                    failed = Some(step);
                }
            }
            self.index.judge_run(run, failed);
        }
    }

    /// Equal results are one result in memory, as they were before they were written.
    fn share_results(&mut self) {
        let mut seen: BTreeMap<_, Arc<Success>> = BTreeMap::new();
        for (key, result) in &self.work.results {
            seen.insert(*key, Arc::clone(&result.success));
        }
        for step in self.runs.values_mut().flat_map(|run| &mut run.steps) {
            let Some(known) = step.key.and_then(|key| seen.get(&key)) else {
                continue;
            };
            if let StepState::Succeeded { success } | StepState::Reused { success, .. } = &mut step.state
                && *success == *known
            {
                *success = Arc::clone(known);
            }
            if let Some(attempt) = step.attempts.last_mut() {
                attempt.share_success(known);
            }
        }
    }

    pub(crate) fn number_of(&self, run: RunId) -> Option<RunNumber> {
        self.index.by_id.get(&run).copied()
    }

    pub(crate) fn at(&self, number: RunNumber) -> &Run {
        self.runs
            .get(&number)
            .expect("numbers of runs are kept as long as the runs")
    }

    pub(crate) fn step_at(&self, place: Place) -> &Step {
        self.at(place.run).state(place.step)
    }

    pub(crate) fn ref_of(&self, place: Place) -> StepRef {
        self.at(place.run).step_ref(place.step)
    }

    pub(crate) fn place_of(&self, step: StepRef) -> Option<Place> {
        let number = self.number_of(step.run)?;
        self.at(number).step(step.step).map(|_| Place {
            run: number,
            step: step.step,
        })
    }

    /// The place of a step that a fact names.
    pub(crate) fn known(&self, step: StepRef) -> Place {
        self.place_of(step)
            .expect("facts name steps of runs that were submitted and not forgotten")
    }

    /// Changes a step: the table, the counts, the index, and then whatever follows from an end.
    ///
    /// # Panics
    /// When the table has no such row: then a fact was not made by `decide` or `next` on this state.
    pub(crate) fn change(
        &mut self,
        place: Place,
        at: Timestamp,
        change: Change,
        edit: impl FnOnce(&mut Step),
    ) {
        let run = self
            .runs
            .get_mut(&place.run)
            .expect("the place is of a known run");
        let claimed = matches!(change, Change::Claimed);
        if claimed {
            self.index.claim(run, place.step);
        } else {
            unfile(run, place.step, &mut self.work, &mut self.index);
        }
        let step = &mut run.steps[place.step.as_usize()];
        let (before, shared) = (step.state.status(), step.key);
        let next = step.state.after(change);
        step.state = next.unwrap_or_else(|| panic!("no row for {before} step {place:?}"));
        step.changed_at = at;
        edit(step);
        let (after, ending) = (step.state.status(), step.state.ending());
        run.counts.remove(before);
        run.counts.add(after);
        if claimed {
            return;
        }
        file(run, place.step, &mut self.work, &mut self.index);
        if ending.is_some() {
            let failed = matches!(run.state(place.step).state, StepState::Failed { .. });
            self.index.judge_run(run, failed.then_some(place.step));
        }
        if let Some(heir) = shared.and_then(|key| self.work.heir(&key)) {
            // A closure here would be of a new type in each instance of this function, without end.
            let unedited: fn(&mut Step) = |_| {};
            self.change(heir, at, Change::Inherited, unedited);
        }
        if let Some(ending) = ending {
            self.tell_dependants(place, at, ending);
        }
    }

    /// Passes an end on to the steps after it.
    fn tell_dependants(&mut self, place: Place, at: Timestamp, ending: Ending) {
        let mut edge = self.at(place.run).graph.first_edge(place.step);
        while let Some((dependant, next)) = self.at(place.run).graph.edge(edge) {
            edge = next;
            self.tell(
                Place {
                    run: place.run,
                    step: dependant,
                },
                place.step,
                at,
                ending,
            );
        }
    }

    fn tell(&mut self, place: Place, before: StepIndex, at: Timestamp, ending: Ending) {
        let run = self
            .runs
            .get_mut(&place.run)
            .expect("the place is of a known run");
        if !run.state(place.step).state.is_blocked() {
            return;
        }
        unfile(run, place.step, &mut self.work, &mut self.index);
        if let StepState::Blocked(blocked) = &mut run.steps[place.step.as_usize()].state {
            blocked.note(before, ending);
        }
        file(run, place.step, &mut self.work, &mut self.index);
        self.unblock(place, at);
    }

    /// Lets a blocked step be ready if nothing holds it.
    pub(crate) fn unblock(&mut self, place: Place, at: Timestamp) {
        let run = self.at(place.run);
        let StepState::Blocked(blocked) = &run.state(place.step).state else {
            return;
        };
        if run.gives_up(place.step).is_some() || verdict(run, place.step, *blocked) != Verdict::Run {
            return;
        }
        let key = crate::inputs::key(run, place.step);
        self.change(place, at, Change::Unblocked, |step| step.key = Some(key));
    }

    /// Changes which results are known for a key, and moves those who would take one.
    pub(crate) fn with_takers(
        &mut self,
        key: &tidemill_protocol::key::StepKey,
        edit: impl FnOnce(&mut Work),
    ) {
        let takers = self.work.takers(key);
        for place in &takers {
            let run = self.runs.get(&place.run).expect("takers are of known runs");
            unfile(run, place.step, &mut self.work, &mut self.index);
        }
        edit(&mut self.work);
        for place in &takers {
            let run = self.runs.get(&place.run).expect("takers are of known runs");
            file(run, place.step, &mut self.work, &mut self.index);
        }
    }
}
