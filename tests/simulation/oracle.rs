//! Knows what must be true, from outside the engine: what was answered, what was executed with which inputs, what was stored, and what became durable.

use crate::coverage::{Coverage, Sight};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidemill_engine::{Effect, Engine, Event, Fact, Run, StepState};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::digest::Digest;
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::{AttemptId, FencingToken, RunId, StepIndex, StepRef, WorkerId};
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{InputBinding, Plan, PlannedStep};
use tidemill_protocol::status::{AttemptStatus, RunStatus};
use tidemill_protocol::wire::{StepTask, StopReason, Success};

use crate::plans::output;
use crate::store::Store;

/// What the world has seen happen.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Runs whose submission was answered.
    answered: BTreeSet<RunId>,
    /// Runs that were forgotten, which happens only when a person asks for it.
    forgotten: BTreeSet<RunId>,
    plans: BTreeMap<RunId, Vec<PlannedStep>>,
    ended: BTreeSet<RunId>,
    results: BTreeMap<StepRef, Arc<Success>>,
    commits: BTreeSet<StepRef>,
    /// What each attempt is to read, from the results that were durable when it was made out.
    due_inputs: BTreeMap<(AttemptId, FencingToken), BTreeMap<PortName, InputValue>>,
    executions: u64,
    /// Attempts that the journal knows.
    dispatched: BTreeSet<(AttemptId, FencingToken)>,
    /// What was written, by attempt, token and worker: a repeated task may be executed by two.
    stored: BTreeMap<(AttemptId, FencingToken, WorkerId), ArtifactRef>,
    claims: BTreeMap<(AttemptId, FencingToken), WorkerId>,
    /// What attempts at each step saved for the next one, by a durable fact.
    saved_ever: BTreeMap<StepRef, BTreeSet<ArtifactRef>>,
    /// Attempts that were given up because nothing was heard of them, and were not taken up again.
    lost: BTreeSet<(AttemptId, FencingToken)>,
    /// Unclaimed attempts that made way for one that was taken up again.
    withdrawn: BTreeSet<AttemptId>,
    largest_token: u64,
    /// The newest epoch whose beginning is durable.
    epoch: u64,
}

impl Oracle {
    /// A person is told that a run was accepted, or done something to: then it is durable.
    pub(crate) fn answered(&mut self, run: RunId) -> Result<(), String> {
        if !self.plans.contains_key(&run) {
            return Err(format!("run {run} was answered and is not durable"));
        }
        self.answered.insert(run);
        Ok(())
    }

    /// A coordinator is about to say something to others: it must be the newest that began.
    pub(crate) fn may_speak(&self, epoch: u64) -> Result<(), String> {
        if epoch < self.epoch {
            return Err(format!(
                "the coordinator of epoch {epoch} speaks although epoch {} has begun",
                self.epoch
            ));
        }
        Ok(())
    }

    /// The journal was lost but for these events. What was answered since may be gone; what was executed and written was all the same.
    pub(crate) fn forget_all_but(&mut self, events: &[Event]) -> Result<(), String> {
        let before = std::mem::take(self);
        self.executions = before.executions;
        self.stored = before.stored;
        self.saved_ever = before.saved_ever;
        for event in events {
            self.durable(event)?;
        }
        self.due_inputs.extend(before.due_inputs);
        let plans = &self.plans;
        self.answered = before.answered;
        self.answered.retain(|run| plans.contains_key(run));
        Ok(())
    }

    /// A process starts: it must have been given exactly the bytes that were committed when its attempt was made out, and they must be there.
    pub(crate) fn execution_started(&mut self, task: &StepTask, store: &Store) -> Result<u64, String> {
        match self.due_inputs.get(&(task.attempt, task.token)) {
            None => return Err(format!("{} executes and was never durable", task.attempt)),
            Some(due) if *due != task.inputs => {
                return Err(format!(
                    "{} reads something other than what was committed",
                    task.attempt
                ));
            }
            Some(_) => {}
        }
        let forgotten =
            !self.plans.contains_key(&task.attempt.run) || self.forgotten.contains(&task.attempt.run);
        let gone = task.inputs.values().find(|value| match value {
            InputValue::Artifact(artifact) => !store.has(artifact),
            InputValue::Uri(_) | InputValue::Literal(_) => false,
        });
        if gone.is_some() && !forgotten && self.dispatched.contains(&(task.attempt, task.token)) {
            return Err(format!("{} reads what a sweep has deleted", task.attempt));
        }
        let saved = self.saved_ever.get(&task.attempt.step_ref());
        if let Some(checkpoint) = &task.checkpoint
            && !saved.is_some_and(|saved| saved.contains(checkpoint))
        {
            return Err(format!("{} goes on from what nobody saved", task.attempt));
        }
        self.executions += 1;
        Ok(self.executions)
    }

    /// A content is deleted: it may be no step's result in a run that is kept.
    pub(crate) fn swept(&self, content: &Digest) -> Result<(), String> {
        let is_kept = |run: &RunId| self.plans.contains_key(run) && !self.forgotten.contains(run);
        for (step, success) in self.results.iter().filter(|(step, _)| is_kept(&step.run)) {
            if success.outputs.values().any(|output| output.digest == *content) {
                return Err(format!(
                    "a sweep deletes the result of {}/{}",
                    step.run, step.step
                ));
            }
        }
        Ok(())
    }

    fn inputs(&self, id: StepRef) -> Option<BTreeMap<PortName, InputValue>> {
        let planned = self.plans.get(&id.run)?.get(id.step.as_usize())?;
        let inputs = planned.inputs.iter().filter_map(|(name, binding)| {
            let value = match binding {
                InputBinding::Value(value) => value.clone(),
                InputBinding::Step(source) => {
                    let before = StepRef {
                        run: id.run,
                        step: source.step,
                    };
                    InputValue::Artifact(*self.results.get(&before)?.outputs.get(&source.output)?)
                }
            };
            Some((name.clone(), value))
        });
        Some(inputs.collect())
    }

    pub(crate) fn stored(&mut self, task: &StepTask, worker: &WorkerId, written: ArtifactRef) {
        self.stored
            .insert((task.attempt, task.token, worker.clone()), written);
    }

    /// A fact is about to be applied; it may yet be lost.
    pub(crate) fn before(engine: &Engine, fact: &Fact) -> Result<(), String> {
        let Fact::AttemptDispatched { attempt, key, .. } = fact else {
            return Ok(());
        };
        let run = engine.run(attempt.run).ok_or("an unknown run is dispatched")?;
        let shares = !run.plan().force_rerun
            && run
                .template(attempt.step)
                .is_some_and(|template| template.rules.cache);
        if shares && engine.cached(key).is_some() {
            return Err(format!("{attempt} executes what could be reused"));
        }
        within_quota(engine, run, attempt)
    }

    /// A fact has become durable.
    pub(crate) fn durable(&mut self, event: &Event) -> Result<(), String> {
        match &event.fact {
            Fact::EpochStarted { epoch } => self.epoch = *epoch,
            Fact::RunSubmitted { run, plan, .. } => {
                self.plans.insert(*run, Plan::clone(plan).steps);
            }
            Fact::StepsAdded { run, steps, .. } => {
                self.plans.entry(*run).or_default().extend(steps.iter().cloned());
            }
            Fact::RunFinished { run, .. } => {
                self.ended.insert(*run);
            }
            Fact::RunForgotten { run } => {
                self.forgotten.insert(*run);
            }
            Fact::RunRetried { run, .. } => {
                self.ended.remove(run);
            }
            Fact::StepReused { step, result, .. } => self.result(*step, result)?,
            _ => self.about_attempt(&event.fact)?,
        }
        match step_of(&event.fact) {
            Some(step) if self.ended.contains(&step.run) => Err(format!(
                "{step:?} changed after its run had ended: {:?}",
                event.fact
            )),
            _ => Ok(()),
        }
    }

    fn about_attempt(&mut self, fact: &Fact) -> Result<(), String> {
        match fact {
            Fact::AttemptDispatched { token, attempt, .. } => {
                if token.0 <= self.largest_token {
                    return Err(format!("the token of {attempt} did not grow"));
                }
                self.largest_token = token.0;
                self.dispatched.insert((*attempt, *token));
                let inputs = self
                    .inputs(attempt.step_ref())
                    .ok_or("an unknown step is dispatched")?;
                self.due_inputs.insert((*attempt, *token), inputs);
            }
            Fact::AttemptClaimed {
                attempt,
                token,
                worker,
            } => {
                self.claims.insert((*attempt, *token), worker.clone());
                self.still_counts(attempt)?;
            }
            Fact::AttemptResumed {
                attempt,
                token,
                worker,
                withdrawn,
            } => {
                self.resumed(attempt, *token, worker)?;
                self.withdrawn.extend(withdrawn.map(|number| AttemptId {
                    attempt: number,
                    ..*attempt
                }));
            }
            Fact::CheckpointSaved {
                attempt, checkpoint, ..
            } => {
                self.still_counts(attempt)?;
                let saved = self.saved_ever.entry(attempt.step_ref()).or_default();
                saved.insert(*checkpoint);
            }
            Fact::AttemptPreempted { attempt, .. } => self.still_counts(attempt)?,
            Fact::AttemptFailed {
                attempt,
                token,
                failure,
                ..
            } => {
                self.still_counts(attempt)?;
                if failure.reason == FailureReason::Lost {
                    self.lost.insert((*attempt, *token));
                }
            }
            Fact::AttemptSucceeded {
                attempt,
                token,
                worker,
                success,
            } => {
                self.commit(attempt, *token, worker, success)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing may happen to what was withdrawn.
    fn still_counts(&self, attempt: &AttemptId) -> Result<(), String> {
        if self.withdrawn.contains(attempt) {
            return Err(format!("{attempt} was withdrawn and something happened to it"));
        }
        Ok(())
    }

    /// Only the claimant of a lost attempt may take it up again, and only until somebody claims another one.
    fn resumed(&mut self, attempt: &AttemptId, token: FencingToken, worker: &WorkerId) -> Result<(), String> {
        if self.claims.get(&(*attempt, token)) != Some(worker) {
            return Err(format!(
                "{attempt} was taken up again by {worker}, which never held it"
            ));
        }
        if !self.lost.remove(&(*attempt, token)) {
            return Err(format!("{attempt} was taken up again and was not lost"));
        }
        let later = |(claimed, other): &(AttemptId, FencingToken)| {
            claimed.step_ref() == attempt.step_ref() && *other > token
        };
        if self.claims.keys().any(later) {
            return Err(format!("{attempt} was taken up again over a claimed replacement"));
        }
        Ok(())
    }

    /// A worker is told that it is fenced: then the attempt must not be the one that counts.
    pub(crate) fn fenced(engine: &Engine, stop: &Effect) -> Result<(), String> {
        let Effect::StopAttempt {
            worker,
            attempt,
            token,
            reason: StopReason::Fenced,
        } = stop
        else {
            return Ok(());
        };
        let step = engine.run(attempt.run).and_then(|run| run.step(attempt.step));
        let held = step
            .and_then(|step| step.last_attempt())
            .is_some_and(|(number, last)| {
                number == attempt.attempt
                    && last.token() == *token
                    && last.worker() == Some(worker)
                    && last.status() == AttemptStatus::Running
            });
        if held {
            return Err(format!("{worker} is fenced from {attempt}, which is its own"));
        }
        Ok(())
    }

    fn commit(
        &mut self,
        attempt: &AttemptId,
        token: FencingToken,
        worker: &WorkerId,
        success: &Arc<Success>,
    ) -> Result<(), String> {
        let step = attempt.step_ref();
        self.still_counts(attempt)?;
        if !self.commits.insert(step) {
            return Err(format!("{step:?} was committed twice"));
        }
        if self
            .claims
            .get(&(*attempt, token))
            .is_some_and(|claimant| claimant != worker)
        {
            return Err(format!(
                "{attempt} was committed by {worker}, which did not hold it"
            ));
        }
        if !self.wrote(attempt, token, worker, success) {
            return Err(format!(
                "{attempt} was committed with bytes that {worker} did not write"
            ));
        }
        self.result(step, success)
    }

    /// Whether this worker wrote that. A manifest does not say who wrote it: where a recovery found one, it is any worker that was given the task.
    fn wrote(&self, attempt: &AttemptId, token: FencingToken, worker: &WorkerId, success: &Success) -> bool {
        let written = success.outputs.get(&output());
        if success.manifest.is_none() {
            return self.stored.get(&(*attempt, token, worker.clone())) == written;
        }
        let mut all = self.stored.iter();
        all.any(|((a, t, _), stored)| (a, *t) == (attempt, token) && Some(stored) == written)
    }

    fn result(&mut self, step: StepRef, success: &Arc<Success>) -> Result<(), String> {
        match self.results.insert(step, Arc::clone(success)) {
            Some(_) => Err(format!("{step:?} ended well twice")),
            None => Ok(()),
        }
    }

    /// After all faults have ended and every run has had its time.
    pub(crate) fn at_the_end(
        &self,
        engine: &Engine,
        store: &Store,
        seen: &mut Coverage,
    ) -> Result<(), String> {
        for id in &self.answered {
            let Some(run) = engine.run(*id) else {
                if self.forgotten.contains(id) {
                    continue;
                }
                return Err(format!("run {id} was answered and is forgotten"));
            };
            for (step, state) in run.steps().enumerate() {
                let index = StepIndex(u32::try_from(step).expect("small"));
                let known = self.results.get(&StepRef {
                    run: *id,
                    step: index,
                });
                if known != state.result() {
                    return Err(format!(
                        "the result of {id}/{step} is not the one that became durable"
                    ));
                }
                let mut outputs = state
                    .result()
                    .into_iter()
                    .flat_map(|result| result.outputs.values());
                if outputs.any(|output| !store.has(output)) {
                    return Err(format!("the result of {id}/{step} was swept"));
                }
                if matches!(
                    state.state(),
                    StepState::Skipped {
                        by_condition: true,
                        ..
                    }
                ) {
                    seen.see(Sight::SkippedByCondition);
                }
            }
        }
        Ok(())
    }

    /// A run that met no misfortune of its own must have succeeded, unless the machines failed it too often.
    pub(crate) fn healthy_run_succeeded(engine: &Engine, id: RunId) -> Result<(), String> {
        let Some(run) = engine.run(id) else { return Ok(()) };
        let crashed_often = run.steps().any(|step| step.tries().crashes >= 5);
        if run.status() == RunStatus::Succeeded || crashed_often {
            return Ok(());
        }
        Err(format!("run {id} should have succeeded and is {}", run.status()))
    }
}

/// Counted step by step, not as the engine does: before an attempt is made out, its project has room for it.
fn within_quota(engine: &Engine, run: &Run, attempt: &AttemptId) -> Result<(), String> {
    let Some(quota) = engine.quota(run.project()) else {
        return Ok(());
    };
    let target = engine.target_of(attempt.step_ref());
    let (mut all, mut there) = (0, 0);
    for other in engine
        .runs_newest_first(None)
        .filter(|other| other.project() == run.project())
    {
        for (step, state) in (0_u32..).map(StepIndex).zip(other.steps()) {
            if matches!(state.state(), StepState::Dispatched | StepState::Running) {
                all += 1;
                let run = other.id();
                there += u32::from(engine.target_of(StepRef { run, step }) == target);
            }
        }
    }
    let on_target = target.and_then(|target| quota.targets.get(target));
    let exceeds = |limit: Option<&u32>, count: u32| limit.is_some_and(|limit| count >= *limit);
    if exceeds(quota.running_steps.as_ref(), all) || exceeds(on_target, there) {
        return Err(format!(
            "{attempt} goes beyond {quota:?}: {all} in flight, {there} there"
        ));
    }
    Ok(())
}

/// The step whose state a fact changes.
fn step_of(fact: &Fact) -> Option<StepRef> {
    match fact {
        Fact::StepReused { step, .. }
        | Fact::StepFollows { step, .. }
        | Fact::StepSkipped { step, .. }
        | Fact::StepEnded { step, .. }
        | Fact::StepFailed { step, .. }
        | Fact::StepRetryDue { step } => Some(*step),
        Fact::AttemptDispatched { attempt, .. }
        | Fact::AttemptClaimed { attempt, .. }
        | Fact::AttemptResumed { attempt, .. }
        | Fact::AttemptSucceeded { attempt, .. }
        | Fact::AttemptFailed { attempt, .. }
        | Fact::AttemptReturned { attempt, .. }
        | Fact::AttemptPreempted { attempt, .. }
        | Fact::CheckpointSaved { attempt, .. }
        | Fact::AttemptStopped { attempt, .. } => Some(attempt.step_ref()),
        Fact::EpochStarted { .. }
        | Fact::RunSubmitted { .. }
        | Fact::QuotaSet { .. }
        | Fact::StepsAdded { .. }
        | Fact::RunCancelRequested { .. }
        | Fact::RunStopRequested { .. }
        | Fact::RunRetried { .. }
        | Fact::RunFinished { .. }
        | Fact::RunForgotten { .. }
        | Fact::ArtifactLost { .. } => None,
    }
}
