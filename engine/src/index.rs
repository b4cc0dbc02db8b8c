//! What follows from how runs and steps stand, kept so that nothing need be searched for: backlogs, leaders, and what the state itself calls for.
//! Nothing here is written to a snapshot; [`file`] puts a step where it belongs and [`unfile`] takes it out again, and both are told apart only
//! by the sign of what they do.

use crate::backlog::{Lane, Ticket};
use crate::place::{GroupId, Place, RunNumber};
use crate::run::Run;
use crate::step::{Blocked, Step, StepState};
use crate::usage::Usages;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::name::Name;
use tidemill_protocol::plan::{StepKind, When};
use tidemill_protocol::status::StepStatus;
use tidemill_protocol::time::Timestamp;

/// Whose runs share among each other: project, experiment and person.
type Group = (Name, Name, Arc<str>);

/// The derived part of the engine's state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) by_id: BTreeMap<RunId, RunNumber>,
    pub(crate) by_pipeline: BTreeMap<Name, BTreeSet<RunNumber>>,
    pub(crate) by_idempotency_key: BTreeMap<String, RunNumber>,
    /// Each fair-share group with its number of runs.
    pub(crate) groups: BTreeMap<Group, (GroupId, u32)>,
    /// What counts against the quota of each project.
    pub(crate) usage: Usages,
    /// One per compute target that is in use.
    pub(crate) lanes: BTreeMap<Name, Lane>,
    /// Steps that are to be given up: with their run, or because of a step before them.
    pub(crate) doomed: BTreeSet<Place>,
    /// Steps that are to take over a known result.
    pub(crate) reusable: BTreeSet<Place>,
    /// Steps that could run if anybody could execute their kind.
    pub(crate) unexecutable: BTreeSet<Place>,
    /// Steps whose last attempt is not terminal.
    pub(crate) in_flight: BTreeSet<Place>,
    /// Steps between two attempts, by the moment of the next.
    pub(crate) waiting: BTreeSet<(Timestamp, Place)>,
    /// Runs that are to stop, with their first failed step.
    pub(crate) to_stop: BTreeMap<RunNumber, StepIndex>,
    /// Runs whose steps are all terminal.
    pub(crate) to_finish: BTreeSet<RunNumber>,
}

/// What is to become of a blocked step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    Run,
    Skip { cause: StepIndex, by_condition: bool },
}

/// Judges a blocked step by its condition and by what is known of the steps before it. A step that needs success is given up at the first bad
/// end; every other condition waits for all ends.
pub(crate) fn verdict(run: &Run, step: StepIndex, blocked: Blocked) -> Verdict {
    let skip = |cause, by_condition| Verdict::Skip { cause, by_condition };
    match (
        run.graph.template(step).rules.when,
        blocked.bad,
        blocked.passed_over,
    ) {
        (When::OnSuccess, Some(bad), _) => skip(bad, false),
        _ if blocked.waiting_for > 0 => Verdict::Wait,
        (When::OnSuccess, None, Some(passed_over)) => skip(passed_over, true),
        (When::OnSuccess, None, None) | (When::Always, _, _) | (When::OnFailure, Some(_), _) => Verdict::Run,
        (When::OnFailure, None, _) => skip(run.before(step).next().unwrap_or(step), true),
    }
}

/// Puts a step where it belongs.
pub(crate) fn file(run: &Run, index: StepIndex, work: &mut Work, to: &mut Index) {
    let place = run.place(index);
    let step = run.state(index);
    let given_up = run.gives_up(index).is_some();
    match &step.state {
        StepState::Blocked(blocked) => {
            if given_up || matches!(verdict(run, index, *blocked), Verdict::Skip { .. }) {
                to.doomed.insert(place);
            }
        }
        StepState::Ready | StepState::Following | StepState::Waiting { .. } if given_up => {
            to.doomed.insert(place);
        }
        StepState::Ready => {
            let mut known = false;
            if let Some(key) = shared_key(run, index) {
                work.stand(key, place);
                known = work.result(&key).is_some();
            }
            if known {
                to.reusable.insert(place);
            } else if is_executable(run, index) {
                to.in_lane(run, index, |lane| lane.push(run.project(), ticket(run, index)));
            } else {
                to.unexecutable.insert(place);
            }
        }
        StepState::Following => {
            let key = shared_key(run, index).expect("only steps that take results follow");
            work.follow(key, place);
            if work.result(&key).is_some() {
                to.reusable.insert(place);
            }
        }
        StepState::Dispatched => {
            to.in_flight.insert(place);
            to.usage.count_flight(run);
            to.in_lane(run, index, |lane| {
                lane.add_dispatched(run.project(), run.group, dispatched_at(step), place);
            });
            lead(run, index, work);
            if given_up {
                to.doomed.insert(place);
            }
        }
        StepState::Running => {
            to.in_flight.insert(place);
            to.usage.count_flight(run);
            to.in_lane(run, index, |lane| lane.add_running(run.project(), run.group));
            lead(run, index, work);
        }
        StepState::Waiting { until } => {
            to.waiting.insert((*until, place));
            lead(run, index, work);
        }
        StepState::Succeeded { .. }
        | StepState::Reused { .. }
        | StepState::Skipped { .. }
        | StepState::Failed { .. }
        | StepState::Cancelled
        | StepState::Aborted => {}
    }
}

/// Takes a step out of where [`file`] put it. To be called before anything changes that `file` looks at.
pub(crate) fn unfile(run: &Run, index: StepIndex, work: &mut Work, from: &mut Index) {
    let place = run.place(index);
    let step = run.state(index);
    let given_up = run.gives_up(index).is_some();
    match &step.state {
        StepState::Blocked(_) => {
            from.doomed.remove(&place);
        }
        StepState::Ready | StepState::Following | StepState::Waiting { .. } if given_up => {
            from.doomed.remove(&place);
        }
        StepState::Ready => {
            if let Some(key) = shared_key(run, index) {
                work.withdraw(key, place);
            }
            if !from.reusable.remove(&place) && !from.unexecutable.remove(&place) {
                from.in_lane(run, index, |lane| lane.remove(run.project(), ticket(run, index)));
            }
        }
        StepState::Following => {
            let key = shared_key(run, index).expect("only steps that take results follow");
            work.unfollow(key, place);
            from.reusable.remove(&place);
        }
        StepState::Dispatched => {
            from.in_flight.remove(&place);
            from.doomed.remove(&place);
            from.usage.discount_flight(run);
            from.in_lane(run, index, |lane| {
                lane.remove_dispatched(run.project(), run.group, dispatched_at(step), place);
            });
            resign(run, index, work);
        }
        StepState::Running => {
            from.in_flight.remove(&place);
            from.usage.discount_flight(run);
            from.in_lane(run, index, |lane| lane.remove_running(run.project(), run.group));
            resign(run, index, work);
        }
        StepState::Waiting { until } => {
            from.waiting.remove(&(*until, place));
            resign(run, index, work);
        }
        StepState::Succeeded { .. }
        | StepState::Reused { .. }
        | StepState::Skipped { .. }
        | StepState::Failed { .. }
        | StepState::Cancelled
        | StepState::Aborted => {}
    }
}

fn lead(run: &Run, index: StepIndex, work: &mut Work) {
    if let Some(key) = shared_key(run, index) {
        work.lead(key, run.place(index));
    }
}

fn resign(run: &Run, index: StepIndex, work: &mut Work) {
    if let Some(key) = shared_key(run, index) {
        work.resign(&key);
    }
}

/// The key under which a step shares its work with others; none when it takes no part in reuse.
pub(crate) fn shared_key(run: &Run, index: StepIndex) -> Option<tidemill_protocol::key::StepKey> {
    if run.takes_results(index) {
        run.state(index).key
    } else {
        None
    }
}

fn ticket(run: &Run, index: StepIndex) -> Ticket {
    Ticket {
        priority: run.graph.template(index).rules.priority,
        group: run.group,
        since: run.state(index).changed_at,
        place: run.place(index),
    }
}

fn dispatched_at(step: &Step) -> Timestamp {
    step.attempts
        .last()
        .expect("a dispatched step has an attempt")
        .dispatched_at()
}

pub(crate) fn is_executable(run: &Run, index: StepIndex) -> bool {
    match run.graph.template(index).work.kind {
        StepKind::Command(_) | StepKind::Builtin(_) => true,
        StepKind::Other { .. } | StepKind::Unknown => false,
    }
}

impl Index {
    /// Changes the lane of a step's compute target. A lane lives as long as something is in it.
    fn in_lane(&mut self, run: &Run, index: StepIndex, change: impl FnOnce(&mut Lane)) {
        let target = &run.graph.template(index).rules.target;
        let lane = self.lanes.entry(target.clone()).or_default();
        change(lane);
        if lane.is_unused() {
            self.lanes.remove(target);
        }
    }

    /// A dispatched step is about to be running: what [`unfile`] and [`file`] would change between the two, at a third of the cost.
    pub(crate) fn claim(&mut self, run: &Run, index: StepIndex) {
        let place = run.place(index);
        self.doomed.remove(&place);
        self.in_lane(run, index, |lane| {
            lane.claim(dispatched_at(run.state(index)), place);
        });
    }

    /// Takes note of a run, not of its steps.
    pub(crate) fn add_run(&mut self, run: &Run) {
        self.by_id.insert(run.id, run.number);
        self.by_pipeline
            .entry(run.plan().pipeline.clone())
            .or_default()
            .insert(run.number);
        if let Some(key) = &run.idempotency_key {
            self.by_idempotency_key.insert(key.clone(), run.number);
        }
        self.groups.entry(group_name(run)).or_insert((run.group, 0)).1 += 1;
        self.usage.note_queued(run);
    }

    /// Forgets a run, of which no step is filed any more.
    pub(crate) fn remove_run(&mut self, run: &Run) {
        self.by_id.remove(&run.id);
        self.usage.forget(run);
        let pipeline = &run.plan().pipeline;
        if let Some(runs) = self.by_pipeline.get_mut(pipeline) {
            runs.remove(&run.number);
            if runs.is_empty() {
                self.by_pipeline.remove(pipeline);
            }
        }
        if let Some(key) = &run.idempotency_key {
            self.by_idempotency_key.remove(key);
        }
        let group = group_name(run);
        if let Some((_, runs)) = self.groups.get_mut(&group) {
            *runs -= 1;
            if *runs == 0 {
                self.groups.remove(&group);
            }
        }
    }

    /// Notes what a run as a whole calls for. To be called whenever its counts, its ending or its end change.
    pub(crate) fn judge_run(&mut self, run: &Run, failed: Option<StepIndex>) {
        self.usage.note_queued(run);
        if run.finished.is_none() && run.counts.open() == 0 {
            self.to_finish.insert(run.number);
        } else {
            self.to_finish.remove(&run.number);
        }
        let stops = run.finished.is_none() && run.stops_at_failure();
        if !stops || run.counts.of(StepStatus::Failed) == 0 {
            self.to_stop.remove(&run.number);
        } else if let Some(failed) = failed {
            let first = self.to_stop.entry(run.number).or_insert(failed);
            *first = failed.min(*first);
        }
    }
}

fn group_name(run: &Run) -> Group {
    let plan = run.plan();
    (
        plan.project.clone(),
        plan.experiment.clone(),
        Arc::clone(&run.submitted_by),
    )
}
