//! Three more questions about evidence: whether the API shows what the journal comes to when it is replayed, whether everybody names the same result of a
//! step, and whether a step was made out only for what had been committed before. Pure, as `judge` is. What a view is made of is written down here a second
//! time, on purpose.

use super::Evidence;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tidemill_engine::{Attempt, Engine, Fact, Run, StepState, audit};
use tidemill_protocol::api::{AttemptView, StepView};
use tidemill_protocol::artifact::ArtifactRef;
use tidemill_protocol::failure::Failure;
use tidemill_protocol::ids::{AttemptId, RunId, StepIndex, StepRef, WorkerId};
use tidemill_protocol::name::PortName;
use tidemill_protocol::status::AttemptStatus;
use tidemill_protocol::time::Timestamp;

type Outputs = BTreeMap<PortName, ArtifactRef>;

/// The journal's events, replayed. A history that could not have happened is refused by a panic: here it is none.
pub(super) fn replayed(evidence: &Evidence) -> Option<Engine> {
    let replayed = catch_unwind(AssertUnwindSafe(|| {
        let mut engine = Engine::new();
        let mut effects = Vec::new();
        for event in &evidence.events {
            engine.apply(event, &mut effects);
            effects.clear();
        }
        engine
    }));
    replayed.ok()
}

/// Where the replayed journal is unsound, or the API shows another state than that, in words.
pub(super) fn parted(evidence: &Evidence) -> Vec<String> {
    let Some(engine) = replayed(evidence) else {
        return vec!["the journal tells what cannot have happened".to_owned()];
    };
    let unsound = audit(&engine).err();
    let unsound = unsound.map(|violation| format!("the replayed state is unsound: {violation}"));
    let mut told = Vec::from_iter(unsound);
    for run in submitted(evidence) {
        if engine.run(run).is_some() && !evidence.runs.contains_key(&run) {
            told.push(format!("run {run} is in the journal and not shown"));
        }
    }
    for (id, shown) in &evidence.runs {
        let Some(run) = engine.run(*id) else {
            told.push(format!("run {id} is shown and not replayed"));
            continue;
        };
        let summary = &shown.summary;
        let mut differ = Differences::of(format!("run {id}"), &mut told);
        differ.look("status", &summary.status, &run.status());
        differ.look("count of steps", &summary.steps, &run.counts());
        differ.look("submission", &summary.submitted_at, &run.submitted_at());
        differ.look("start", &summary.started_at, &run.started_at());
        differ.look("end", &summary.finished_at, &run.finished_at());
        differ.look("number of steps", &shown.steps_list.len(), &run.steps().len());
        for (index, view) in (0..).map(StepIndex).zip(&shown.steps_list) {
            step(&engine, run, index, view, &mut told);
        }
    }
    told
}

fn submitted(evidence: &Evidence) -> BTreeSet<RunId> {
    let submitted = evidence.events.iter().filter_map(|event| match &event.fact {
        Fact::RunSubmitted { run, .. } => Some(*run),
        _ => None,
    });
    submitted.collect()
}

fn step(engine: &Engine, run: &Run, index: StepIndex, view: &StepView, told: &mut Vec<String>) {
    let mut differ = Differences::of(format!("{}/{}", run.id(), view.path), told);
    let (Some(step), Some(planned)) = (run.step(index), run.planned(index)) else {
        differ.tell("is shown and not replayed");
        return;
    };
    let source = match step.state() {
        StepState::Reused { source, .. } => engine.run(source.run).and_then(|of| {
            let planned = of.planned(source.step)?;
            Some(format!("{}/{}", source.run, planned.path))
        }),
        _ => None,
    };
    let outputs = step.result().map(|result| result.outputs.clone());
    differ.look("name", &view.path, &planned.path);
    differ.look("status", &view.status, &step.status());
    differ.look("key", &view.key, &step.key().map(ToString::to_string));
    differ.look("source", &view.reused_from, &source);
    differ.look("outputs", &view.outputs, &outputs.unwrap_or_default());
    differ.look("start", &view.started_at, &step.started_at());
    differ.look("end", &view.finished_at, &step.finished_at());
    differ.look("number of attempts", &view.attempts.len(), &step.attempts().len());
    for ((number, attempt), shown) in (1..).zip(step.attempts()).zip(&view.attempts) {
        differ.look(
            "attempts",
            &shown_attempt(shown),
            &replayed_attempt(number, attempt),
        );
    }
}

/// What an attempt is, to whoever looks at it.
#[derive(Debug, PartialEq)]
struct Look {
    number: u32,
    status: AttemptStatus,
    worker: Option<WorkerId>,
    /// When its task was made out, when it was claimed, when it ended.
    moments: (Timestamp, Option<Timestamp>, Option<Timestamp>),
    failure: Option<Failure>,
    /// What it wrote to its two streams.
    said: Option<[Option<ArtifactRef>; 2]>,
}

fn shown_attempt(view: &AttemptView) -> Look {
    Look {
        number: view.attempt,
        status: view.status,
        worker: view.worker.clone(),
        moments: (view.dispatched_at, view.claimed_at, view.finished_at),
        failure: view.failure.clone(),
        said: view.usage.as_ref().map(|usage| [usage.stdout, usage.stderr]),
    }
}

fn replayed_attempt(number: u32, attempt: &Attempt) -> Look {
    let claimed_at = attempt.claim().map(|claim| claim.at);
    let finished_at = attempt.end().map(|end| end.at);
    Look {
        number,
        status: attempt.status(),
        worker: attempt.worker().cloned(),
        moments: (attempt.dispatched_at(), claimed_at, finished_at),
        failure: attempt.failure().cloned(),
        said: attempt.usage().map(|usage| [usage.stdout, usage.stderr]),
    }
}

/// Compares what is shown of one thing with what was replayed of it.
struct Differences<'a> {
    of: String,
    told: &'a mut Vec<String>,
}

impl<'a> Differences<'a> {
    fn of(of: String, told: &'a mut Vec<String>) -> Self {
        Self { of, told }
    }

    fn tell(&mut self, what: &str) {
        self.told.push(format!("{} {what}", self.of));
    }

    fn look<T: Debug + PartialEq>(&mut self, what: &str, shown: &T, replayed: &T) {
        if shown != replayed {
            self.tell(&format!(
                "is shown with another {what}: {shown:?}, and replayed {replayed:?}"
            ));
        }
    }
}

/// Steps whose result the journal, the API and the manifest in the store do not name alike, in words.
pub(super) fn named_differently(evidence: &Evidence) -> Vec<String> {
    let mut told = Vec::new();
    let mut results: BTreeMap<StepRef, (Option<AttemptId>, &Outputs)> = BTreeMap::new();
    for event in &evidence.events {
        match &event.fact {
            Fact::AttemptSucceeded {
                attempt,
                token,
                success,
                ..
            } => {
                results.insert(attempt.step_ref(), (Some(*attempt), &success.outputs));
                let Some(digest) = success.manifest else { continue };
                match evidence.manifests.get(&(*attempt, *token)) {
                    None => told.push(format!("nobody looked at the manifest of {attempt}")),
                    Some(Err(why)) => told.push(format!("the manifest of {attempt} cannot be read: {why}")),
                    Some(Ok((outputs, read))) if (outputs, *read) != (&success.outputs, digest) => {
                        told.push(format!("the manifest of {attempt} is not what the journal names"));
                    }
                    Some(Ok(_)) => {}
                }
            }
            Fact::StepReused { step, result, .. } => {
                results.insert(*step, (None, &result.outputs));
            }
            _ => {}
        }
    }
    for (run, shown) in &evidence.runs {
        for (step, view) in (0..).map(StepIndex).zip(&shown.steps_list) {
            let good = view
                .attempts
                .iter()
                .filter(|a| a.status == AttemptStatus::Succeeded);
            let good: Vec<u32> = good.map(|attempt| attempt.attempt).collect();
            let (committed, outputs) = results.get(&StepRef { run: *run, step }).copied().unzip();
            let committed = Vec::from_iter(committed.flatten().map(|attempt| attempt.attempt));
            if good != committed {
                let path = &view.path;
                told.push(format!(
                    "attempts {good:?} of {run}/{path} are shown as good, and {committed:?} committed"
                ));
            }
            if view.outputs != outputs.cloned().unwrap_or_default() {
                told.push(format!(
                    "{run}/{} shows other outputs than were committed",
                    view.path
                ));
            }
        }
    }
    told
}
