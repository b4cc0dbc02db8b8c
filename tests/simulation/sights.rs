//! What a fact, in the state in which it is applied, shows to have happened.

use crate::coverage::{Coverage, Sight};
use tidemill_engine::{Engine, Fact, Fleet, Reason, Run, RunEnding, StepState};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::{StepIndex, StepRef};
use tidemill_protocol::status::{AttemptStatus, RunStatus};

pub(crate) fn note(engine: &Engine, fact: &Fact, seen: &mut Coverage) {
    match fact {
        Fact::RunSubmitted { plan, .. } if plan.force_rerun => seen.see(Sight::ForcedRerun),
        Fact::StepsAdded { .. } => seen.see(Sight::StepsAdded),
        Fact::QuotaSet { quota, .. } => seen.see(if quota.is_none() {
            Sight::QuotaTakenAway
        } else {
            Sight::QuotaSet
        }),
        Fact::RunCancelRequested { run, .. } => {
            let again = engine.run(*run).and_then(|run| run.ending());
            let twice = matches!(again, Some(RunEnding::Cancelled { .. }));
            seen.see(if twice {
                Sight::RunCancelledTwice
            } else {
                Sight::RunCancelled
            });
        }
        Fact::RunStopRequested { .. } => seen.see(Sight::RunStoppedAtFailure),
        Fact::RunRetried { .. } => seen.see(Sight::RunRetried),
        Fact::RunForgotten { .. } => seen.see(Sight::RunForgotten),
        Fact::RunFinished { run, status } => {
            let retried = engine
                .run(*run)
                .is_some_and(|run| run.steps().any(|step| step.attempts().len() > 1));
            if retried && *status == RunStatus::Succeeded {
                seen.see(Sight::RetriedRunSucceeded);
            }
        }
        Fact::StepReused { step, source, .. } => note_reuse(engine, *step, *source, seen),
        Fact::StepFollows { .. } => seen.see(Sight::StepFollowed),
        Fact::StepSkipped { .. } => seen.see(Sight::SkippedAfterFailure),
        Fact::StepFailed { .. } => seen.see(Sight::KindWithoutExecutor),
        Fact::EpochStarted { .. }
        | Fact::RunSubmitted { .. }
        | Fact::StepEnded { .. }
        | Fact::ArtifactLost { .. }
        | Fact::StepRetryDue { .. } => {}
        Fact::AttemptDispatched { .. }
        | Fact::AttemptClaimed { .. }
        | Fact::AttemptResumed { .. }
        | Fact::AttemptSucceeded { .. }
        | Fact::AttemptFailed { .. }
        | Fact::AttemptReturned { .. }
        | Fact::AttemptPreempted { .. }
        | Fact::CheckpointSaved { .. }
        | Fact::AttemptStopped { .. } => note_attempt(engine, fact, seen),
    }
    note_heirs(engine, fact, seen);
}

fn note_attempt(engine: &Engine, fact: &Fact, seen: &mut Coverage) {
    match fact {
        Fact::AttemptDispatched { attempt, .. } => {
            let run = engine.run(attempt.run);
            if run.is_some_and(|run| run.ending().is_some()) {
                seen.see(Sight::FinallyRanAfterTheEnd);
            }
            if run.is_some_and(|run| fills_a_quota(engine, run)) {
                seen.see(Sight::QuotaFilled);
            }
        }
        Fact::AttemptSucceeded { attempt, .. } if is_unclaimed(engine, attempt.step_ref()) => {
            seen.see(Sight::CommitWithoutClaim);
        }
        Fact::AttemptFailed {
            failure, retry_at, ..
        } => {
            seen.see(match (&failure.reason, retry_at) {
                (FailureReason::Lost, _) => Sight::LeaseRanOut,
                (FailureReason::DeadLettered, _) => Sight::DeadLettered,
                (_, Some(_)) => Sight::RetriedByPolicy,
                (_, None) => Sight::StepFailed,
            });
            if failure.reason.is_infrastructure() && retry_at.is_some() {
                seen.see(Sight::RetriedAfterCrash);
            }
        }
        Fact::AttemptResumed { withdrawn, .. } => seen.see(if withdrawn.is_some() {
            Sight::ResumedOverAReplacement
        } else {
            Sight::ResumedInThePause
        }),
        Fact::AttemptReturned { .. } => seen.see(Sight::GivenBack),
        Fact::AttemptPreempted { .. } => seen.see(Sight::AttemptPreempted),
        Fact::CheckpointSaved { .. } => seen.see(Sight::CheckpointSaved),
        Fact::AttemptStopped { attempt, .. } => seen.see(if is_unclaimed(engine, attempt.step_ref()) {
            Sight::QueuedAttemptStopped
        } else {
            Sight::RunningAttemptStopped
        }),
        Fact::AttemptClaimed { attempt, .. } if replaces_a_lost_one(engine, attempt.step_ref()) => {
            seen.see(Sight::FencedByAReplacement);
        }
        _ => {}
    }
}

/// A step that followed is released: it inherited the work.
fn note_heirs(engine: &Engine, fact: &Fact, seen: &mut Coverage) {
    let Fact::AttemptDispatched { attempt, key, .. } = fact else {
        return;
    };
    let others = engine.runs_newest_first(None).flat_map(Run::steps);
    let gave_up = |step: &tidemill_engine::Step| {
        step.key() == Some(key)
            && matches!(
                step.state(),
                StepState::Failed { .. } | StepState::Cancelled | StepState::Aborted
            )
            && !step.attempts().is_empty()
    };
    if attempt.attempt == 1 && others.into_iter().any(gave_up) {
        seen.see(Sight::FollowerTookOver);
    }
}

fn note_reuse(engine: &Engine, step: StepRef, source: StepRef, seen: &mut Coverage) {
    seen.see(Sight::StepReused);
    if step.run != source.run {
        seen.see(Sight::ReusedAcrossRuns);
    }
    let Some(run) = engine.run(step.run) else { return };
    let executed = |before| {
        run.step(before)
            .is_some_and(|before| matches!(before.state(), StepState::Succeeded { .. }))
    };
    if run.before(step.step).any(executed) {
        seen.see(Sight::ReusedBelowARepeatedStep);
    }
}

fn replaces_a_lost_one(engine: &Engine, step: StepRef) -> bool {
    let step = engine.run(step.run).and_then(|run| run.step(step.step));
    step.is_some_and(|step| {
        let before = step.attempts().iter().rev().nth(1);
        before.is_some_and(|attempt| attempt.status() == AttemptStatus::Lost && attempt.claim().is_some())
    })
}

/// Whether one more step in flight uses up what the run's project may have.
fn fills_a_quota(engine: &Engine, run: &Run) -> bool {
    let limit = engine.quota(run.project()).and_then(|quota| quota.running_steps);
    limit.is_some_and(|limit| engine.usage(run.project()).running_steps + 1 == limit)
}

fn is_unclaimed(engine: &Engine, step: StepRef) -> bool {
    let attempt = engine
        .run(step.run)
        .and_then(|run| run.step(step.step)?.attempts().last());
    attempt.is_some_and(|attempt| attempt.status() == AttemptStatus::Dispatched)
}

/// Whether some step waits for its project's quota and for nothing else.
pub(crate) fn is_held_back(engine: &Engine, fleet: &Fleet) -> bool {
    let mut runs = engine
        .runs_newest_first(None)
        .filter(|run| !run.status().is_terminal());
    runs.any(|run| {
        let ready = (0_u32..).map(StepIndex).zip(run.steps());
        let mut ready = ready.filter(|(_, step)| matches!(step.state(), StepState::Ready));
        ready.any(|(step, _)| {
            let explained = engine.explain(StepRef { run: run.id(), step }, fleet);
            let reasons = explained.map(|explained| explained.reasons).unwrap_or_default();
            matches!(reasons.first(), Some(Reason::QuotaFull { .. }))
        })
    })
}
