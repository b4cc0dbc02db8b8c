//! Whether the state agrees with itself: every cross-reference, count and promise, each law by its name. Looks at everything; for tests, and for a
//! coordinator that wants to be sure before it writes a snapshot.

use crate::attempt::{Attempt, Outcome};
use crate::engine::Engine;
use crate::index::shared_key;
use crate::inputs;
use crate::run::{Counts, Run};
use crate::step::{Blocked, Step, StepState};
use std::collections::{BTreeMap, BTreeSet};
use tidemill_protocol::ids::StepIndex;
use tidemill_protocol::plan::When;

/// A broken law.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {detail}")]
pub struct Violation {
    /// The law in words.
    pub law: &'static str,
    /// Where it is broken.
    pub detail: String,
}

type Finding = Result<(), Violation>;

fn holds(law: &'static str, kept: bool, detail: impl FnOnce() -> String) -> Finding {
    if kept {
        Ok(())
    } else {
        Err(Violation {
            law,
            detail: detail(),
        })
    }
}

/// Checks every law; answers with the first that is broken.
pub fn audit(engine: &Engine) -> Finding {
    let mut tokens = BTreeSet::new();
    for run in engine.runs.values() {
        audit_run(run)?;
        for step in run.indexes() {
            let name = || format!("{:?} is {:?}", run.step_ref(step), run.state(step).state);
            audit_attempts(run.state(step), name)?;
            audit_step(run, step, name)?;
            for attempt in run.state(step).attempts() {
                let token = attempt.token();
                holds("tokens are below the next one", token.0 < engine.next_token, name)?;
                holds("no token is given twice", tokens.insert(token), name)?;
            }
        }
    }
    audit_work(engine)?;
    audit_index(engine)
}

fn audit_run(run: &Run) -> Finding {
    let name = || format!("run {} is {}", run.id, run.status());
    let mut counts = Counts::default();
    for step in &run.steps {
        counts.add(step.status());
    }
    holds(
        "a run has a state for each planned step",
        run.steps.len() == run.graph.len() as usize,
        name,
    )?;
    holds(
        "the counts of a run are those of its steps",
        counts == run.counts,
        name,
    )?;
    let Some((_, status)) = run.finished else {
        return Ok(());
    };
    holds(
        "a run is terminal only when its steps are",
        counts.open() == 0,
        name,
    )?;
    holds(
        "a run's end fits the ends of its steps",
        status == run.final_status(),
        name,
    )
}

fn audit_attempts(step: &Step, name: impl Fn() -> String + Copy) -> Finding {
    let attempts = step.attempts();
    let growing = attempts.is_sorted_by(|left, right| left.token() < right.token());
    holds("tokens of a step grow", growing, name)?;
    let open = attempts.iter().filter(|attempt| attempt.end().is_none()).count();
    let last = step.last_attempt().map(|(_, attempt)| attempt);
    let last_open = last.filter(|attempt| attempt.end().is_none());
    let claimed = last_open.map(|attempt| attempt.claim().is_some());
    holds(
        "a step has at most one attempt in flight, and it is the last that was not withdrawn",
        open == usize::from(claimed.is_some()),
        name,
    )?;
    let expected = match &step.state {
        StepState::Dispatched => Some(false),
        StepState::Running => Some(true),
        StepState::Blocked(_)
        | StepState::Ready
        | StepState::Following
        | StepState::Waiting { .. }
        | StepState::Succeeded { .. }
        | StepState::Reused { .. }
        | StepState::Skipped { .. }
        | StepState::Failed { .. }
        | StepState::Cancelled
        | StepState::Aborted => None,
    };
    let withdrawn = attempts.iter().filter(|attempt| attempt.is_withdrawn());
    holds(
        "what was withdrawn was never claimed",
        withdrawn.into_iter().all(|attempt| attempt.claim().is_none()),
        name,
    )?;
    holds(
        "a step's state is that of its last attempt",
        claimed == expected,
        name,
    )?;
    let commits = attempts.iter().filter_map(committed).count();
    let succeeded = usize::from(matches!(step.state, StepState::Succeeded { .. }));
    holds(
        "a step has one commit when it succeeded and none otherwise",
        commits == succeeded,
        name,
    )?;
    let same = attempts
        .iter()
        .filter_map(committed)
        .all(|success| step.result() == Some(success));
    holds("a step's result is that of its commit", same, name)
}

fn committed(attempt: &Attempt) -> Option<&std::sync::Arc<tidemill_protocol::wire::Success>> {
    match &attempt.end()?.outcome {
        Outcome::Succeeded(success) => Some(success),
        Outcome::Failed(_)
        | Outcome::Returned
        | Outcome::Withdrawn
        | Outcome::Preempted(_)
        | Outcome::Stopped { .. } => None,
    }
}

fn audit_step(run: &Run, step: StepIndex, name: impl Fn() -> String + Copy) -> Finding {
    let state = run.state(step);
    let open_before = run
        .before(step)
        .filter(|before| !run.state(*before).state.is_terminal())
        .count();
    match &state.state {
        StepState::Blocked(blocked) => {
            let mut expected = Blocked::default();
            for before in run.before(step) {
                expected.waiting_for += 1;
                if let Some(ending) = run.state(before).state.ending() {
                    expected.note(before, ending);
                }
            }
            let agrees = expected.waiting_for == blocked.waiting_for
                && expected.bad.is_some() == blocked.bad.is_some()
                && expected.passed_over.is_some() == blocked.passed_over.is_some();
            holds("a blocked step knows how the steps before it stand", agrees, name)?;
            holds("a blocked step has no key yet", state.key.is_none(), name)
        }
        StepState::Ready
        | StepState::Following
        | StepState::Dispatched
        | StepState::Running
        | StepState::Waiting { .. }
        | StepState::Succeeded { .. }
        | StepState::Reused { .. } => {
            // What ended well stays when its run is retried, also where it ran because steps before it had ended badly.
            let needed_success = run.graph.template(step).rules.when == When::OnSuccess;
            if state.state.is_terminal() && !needed_success {
                return Ok(());
            }
            holds(
                "no step starts before the steps before it are terminal",
                open_before == 0,
                name,
            )?;
            let key = inputs::key(run, step);
            holds(
                "a step's key is that of what it reads",
                state.key == Some(key),
                name,
            )
        }
        StepState::Skipped { .. } | StepState::Failed { .. } | StepState::Cancelled | StepState::Aborted => {
            Ok(())
        }
    }
}

fn audit_work(engine: &Engine) -> Finding {
    let mut holders = BTreeMap::new();
    let mut doing = BTreeMap::new();
    for run in engine.runs.values() {
        for step in run.indexes() {
            let state = run.state(step);
            let Some(key) = state.key else { continue };
            if state.result().is_some() && run.offers_result(step) {
                *holders.entry(key).or_insert(0) += 1;
            }
            let at_work = state.state.is_in_flight() || matches!(state.state, StepState::Waiting { .. });
            let doubled =
                at_work && shared_key(run, step).is_some_and(|key| doing.insert(key, step).is_some());
            holds("equal work is done by one step at a time", !doubled, || {
                format!("{:?}", run.step_ref(step))
            })?;
            let alone = matches!(state.state, StepState::Following) && engine.work.heir(&key).is_some();
            holds(
                "where a step follows, somebody does the work or could",
                !alone,
                || format!("{:?}", run.step_ref(step)),
            )?;
        }
    }
    let known = engine
        .work
        .results
        .iter()
        .map(|(key, result)| (*key, result.holders));
    let agrees = known.eq(holders);
    holds(
        "a result is kept as long as a step that ended well with it",
        agrees,
        || "results".into(),
    )
}

/// The derived part must be what it would be if it were derived now.
fn audit_index(engine: &Engine) -> Finding {
    let mut fresh = engine.clone();
    fresh.derive();
    let (kept, due) = (&engine.index, &fresh.index);
    let laws = [
        ("runs are found by id", kept.by_id == due.by_id),
        ("runs are found by pipeline", kept.by_pipeline == due.by_pipeline),
        (
            "runs are found by idempotency key",
            kept.by_idempotency_key == due.by_idempotency_key,
        ),
        (
            "fair-share groups are those of the runs",
            kept.groups == due.groups,
        ),
        (
            "what counts against quotas is what there is",
            kept.usage == due.usage,
        ),
        (
            "the backlog holds the steps that could run",
            kept.lanes == due.lanes,
        ),
        ("what is given up is marked", kept.doomed == due.doomed),
        ("what can be reused is marked", kept.reusable == due.reusable),
        (
            "what nobody can execute is marked",
            kept.unexecutable == due.unexecutable,
        ),
        ("attempts in flight are listed", kept.in_flight == due.in_flight),
        ("pauses are listed", kept.waiting == due.waiting),
        ("runs that stop are marked", kept.to_stop == due.to_stop),
        ("runs that end are marked", kept.to_finish == due.to_finish),
        (
            "leaders, followers and candidates are those of the steps",
            engine.work == fresh.work,
        ),
    ];
    for (law, kept) in laws {
        holds(law, kept, || "differs from what the steps say".into())?;
    }
    Ok(())
}
