//! Facts about whole runs, and about steps that had no attempt.

use crate::effect::Effect;
use crate::engine::Engine;
use crate::graph::Graph;
use crate::index::{Verdict, file, unfile, verdict};
use crate::place::{GroupId, Place, RunNumber};
use crate::run::{Asked, Counts, Run, RunEnding};
use crate::step::{Blocked, Change, Ending, Step, StepState, Tries};
use std::sync::Arc;
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::ids::{RunId, StepIndex, StepRef};
use tidemill_protocol::key::StepKey;
use tidemill_protocol::plan::{Plan, PlannedStep, StepTemplate};
use tidemill_protocol::status::RunStatus;
use tidemill_protocol::time::Timestamp;
use tidemill_protocol::wire::Success;

impl Engine {
    pub(super) fn submit(
        &mut self,
        at: Timestamp,
        id: RunId,
        plan: &Arc<Plan>,
        submitted_by: &str,
        idempotency_key: Option<&str>,
    ) {
        let number = RunNumber(self.next_run);
        self.next_run += 1;
        let name = (
            plan.project.clone(),
            plan.experiment.clone(),
            Arc::from(submitted_by),
        );
        let group = self
            .index
            .groups
            .get(&name)
            .map_or(GroupId(number.0), |(group, _)| *group);
        let run = Run {
            id,
            number,
            group,
            graph: Graph::new(Arc::clone(plan)),
            steps: Vec::new(),
            submitted_by: name.2,
            idempotency_key: idempotency_key.map(str::to_owned),
            submitted_at: at,
            started_at: None,
            finished: None,
            ending: None,
            counts: Counts::default(),
            acts: Vec::new(),
        };
        self.index.add_run(&run);
        self.runs.insert(number, run);
        self.open_steps(number, 0, at);
    }

    pub(super) fn add_steps(
        &mut self,
        at: Timestamp,
        id: RunId,
        templates: &[Arc<StepTemplate>],
        steps: &[PlannedStep],
    ) {
        let number = self.number_of(id).expect("facts name known runs");
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        let from = run.graph.len();
        run.graph.append(templates.to_vec(), steps.to_vec());
        self.open_steps(number, from, at);
    }

    /// Gives every step from `from` on its first state. All are blocked at first, so that none is ready before its place in the graph is known.
    fn open_steps(&mut self, number: RunNumber, from: u32, at: Timestamp) {
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        run.steps.reserve_exact((run.graph.len() - from) as usize);
        for step in (from..run.graph.len()).map(StepIndex) {
            let blocked = blocked(run, step, |before| {
                run.step(before).and_then(|step| step.state().ending())
            });
            let step = Step::new(blocked, at);
            run.counts.add(step.status());
            run.steps.push(step);
        }
        let until = run.graph.len();
        self.judge(number);
        self.file_and_unblock(number, (from..until).map(StepIndex), at);
    }

    fn file_and_unblock(
        &mut self,
        number: RunNumber,
        steps: impl Iterator<Item = StepIndex> + Clone,
        at: Timestamp,
    ) {
        let run = self
            .runs
            .get(&number)
            .expect("numbers of runs are kept as long as the runs");
        for step in steps.clone() {
            file(run, step, &mut self.work, &mut self.index);
        }
        for step in steps {
            self.unblock(Place { run: number, step }, at);
        }
    }

    pub(super) fn cancel(&mut self, at: Timestamp, id: RunId, by: &str, effects: &mut Vec<Effect>) {
        let number = self.number_of(id).expect("facts name known runs");
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        run.note_act(at, by, Asked::Cancel);
        let by = by.to_owned();
        let ending = match run.ending {
            Some(RunEnding::Cancelled { .. } | RunEnding::CancelledForGood { .. }) => {
                RunEnding::CancelledForGood { by }
            }
            Some(RunEnding::Stopped { .. }) | None => RunEnding::Cancelled { by },
        };
        self.end_run(number, ending, effects);
    }

    pub(super) fn stop(&mut self, id: RunId, cause: StepIndex, effects: &mut Vec<Effect>) {
        let number = self.number_of(id).expect("facts name known runs");
        self.end_run(number, RunEnding::Stopped { cause }, effects);
    }

    /// Marks what is to be given up. The one pass over a run's steps that an end costs.
    fn end_run(&mut self, number: RunNumber, ending: RunEnding, effects: &mut Vec<Effect>) {
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        let open: Vec<StepIndex> = run
            .indexes()
            .filter(|step| !run.state(*step).state.is_terminal())
            .collect();
        for step in &open {
            unfile(run, *step, &mut self.work, &mut self.index);
        }
        run.ending = Some(ending);
        for step in &open {
            file(run, *step, &mut self.work, &mut self.index);
        }
        self.judge(number);
        let run = self.at(number);
        effects.extend(
            open.iter()
                .filter_map(|step| super::attempts::stop_effect(run, *step)),
        );
        self.promote_heirs(number, &open);
    }

    /// Where steps of this run were the only ones that could do a piece of work, hands it on.
    fn promote_heirs(&mut self, number: RunNumber, steps: &[StepIndex]) {
        for step in steps {
            let heir = self
                .at(number)
                .state(*step)
                .key
                .and_then(|key| self.work.heir(&key));
            if let Some(heir) = heir {
                let since = self.step_at(heir).changed_at;
                self.change(heir, since, Change::Inherited, |_| {});
            }
        }
    }

    pub(super) fn retry(&mut self, at: Timestamp, id: RunId, by: &str) {
        let number = self.number_of(id).expect("facts name known runs");
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        run.note_act(at, by, Asked::Retry);
        run.finished = None;
        run.ending = None;
        let again: Vec<StepIndex> = run
            .indexes()
            .filter(|step| {
                run.state(*step)
                    .state
                    .ending()
                    .is_some_and(|end| end != Ending::Good)
            })
            .collect();
        for step in &again {
            let blocked = blocked(run, *step, |before| {
                run.state(before)
                    .state
                    .ending()
                    .filter(|end| *end == Ending::Good)
            });
            let step = &mut run.steps[step.as_usize()];
            run.counts.remove(step.status());
            step.state = step
                .state
                .after(Change::Reset(blocked))
                .expect("only bad ends are reset");
            step.key = None;
            step.tries = Tries::default();
            step.changed_at = at;
            run.counts.add(step.status());
        }
        self.judge(number);
        self.file_and_unblock(number, again.iter().copied(), at);
    }

    pub(super) fn finish(&mut self, at: Timestamp, id: RunId, status: RunStatus) {
        let number = self.number_of(id).expect("facts name known runs");
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        run.finished = Some((at, status));
        self.judge(number);
    }

    pub(super) fn forget(&mut self, id: RunId) {
        let number = self.number_of(id).expect("facts name known runs");
        let run = self
            .runs
            .remove(&number)
            .expect("numbers of runs are kept as long as the runs");
        self.index.remove_run(&run);
        for step in run.indexes() {
            let state = run.state(step);
            if let Some(key) = state
                .key
                .filter(|_| run.offers_result(step) && state.result().is_some())
            {
                if self.work.result(&key).is_some_and(|result| result.holders > 1) {
                    self.work.release(&key);
                    continue;
                }
                self.with_takers(&key, |work| work.release(&key));
                self.pass_on(&key);
            }
        }
    }

    /// Offers results that hold this artifact no more; what waited to take one over does the work itself.
    pub(super) fn lose(&mut self, artifact: &ArtifactRef) {
        let keys: Vec<StepKey> = self.work.holding(artifact).collect();
        for key in keys {
            self.with_takers(&key, |work| work.lose(&key));
            self.pass_on(&key);
        }
    }

    /// Where a result went away for which others waited, one of them does the work.
    fn pass_on(&mut self, key: &StepKey) {
        if let Some(heir) = self.work.heir(key) {
            let since = self.step_at(heir).changed_at;
            self.change(heir, since, Change::Inherited, |_| {});
        }
    }

    pub(super) fn skip(&mut self, at: Timestamp, step: StepRef, cause: StepIndex) {
        let place = self.known(step);
        let by_condition = match &self.step_at(place).state {
            StepState::Blocked(blocked) => {
                matches!(
                    verdict(self.at(place.run), place.step, *blocked),
                    Verdict::Skip {
                        by_condition: true,
                        ..
                    }
                )
            }
            StepState::Ready
            | StepState::Following
            | StepState::Dispatched
            | StepState::Running
            | StepState::Waiting { .. }
            | StepState::Succeeded { .. }
            | StepState::Reused { .. }
            | StepState::Skipped { .. }
            | StepState::Failed { .. }
            | StepState::Cancelled
            | StepState::Aborted => false,
        };
        self.change(place, at, Change::Skipped { cause, by_condition }, |_| {});
    }

    /// Notes that something of a run was released or reused.
    pub(super) fn start_run(&mut self, number: RunNumber, at: Timestamp) {
        let run = self
            .runs
            .get_mut(&number)
            .expect("numbers of runs are kept as long as the runs");
        if run.started_at.is_none() {
            run.started_at = Some(at);
            self.index.usage.note_queued(run);
        }
    }

    pub(super) fn reused(&mut self, at: Timestamp, step: StepRef, source: StepRef, result: &Arc<Success>) {
        let place = self.known(step);
        self.start_run(place.run, at);
        self.hold_result(place, source, result, false);
        self.change(
            place,
            at,
            Change::Reused {
                source,
                success: Arc::clone(result),
            },
            |_| {},
        );
    }

    /// Notes the result with which a step is about to end: its own (`made`) or a known one. It is known before its maker ends, so that nobody
    /// inherits work that is done.
    pub(super) fn hold_result(&mut self, place: Place, source: StepRef, success: &Arc<Success>, made: bool) {
        let run = self.at(place.run);
        let Some(key) = run
            .state(place.step)
            .key
            .filter(|_| run.offers_result(place.step))
        else {
            return;
        };
        if self.work.result(&key).is_none() {
            self.with_takers(&key, |work| work.hold(key, source, success, made));
        } else {
            self.work.hold(key, source, success, made);
        }
    }
}

/// What a step knows of the steps before it, when `ending` tells how each of them ended, if it did.
fn blocked(run: &Run, step: StepIndex, ending: impl Fn(StepIndex) -> Option<Ending>) -> Blocked {
    let mut blocked = Blocked::default();
    for before in run.before(step) {
        blocked.waiting_for += 1;
        if let Some(ending) = ending(before) {
            blocked.note(before, ending);
        }
    }
    blocked
}
