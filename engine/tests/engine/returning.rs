//! Workers that were silent for longer than their lease and come back: who keeps the attempt, and who is told to stop.

use crate::bed::{Bed, heartbeat, success, worker};
use crate::draft::Draft;
use std::sync::Arc;
use tidemill_engine::{Command, Effect, Fact, Rejection};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::{RunId, WorkerId};
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};
use tidemill_protocol::wire::{Heartbeat, Phase, ReportBody, RunningAttempt, StepTask, StopReason};

/// A step whose attempt was claimed and whose lease ran out.
fn lost() -> (Bed, RunId, Arc<StepTask>) {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().with("a", &[], |_| {}));
    let task = bed.task();
    bed.claim(&task);
    lose(&mut bed, &task);
    (bed, run, task)
}

fn lose(bed: &mut Bed, task: &StepTask) {
    bed.command(&Command::ExpireLease {
        attempt: task.attempt,
        token: task.token,
    });
    bed.settle();
}

/// Ends the pause: the replacement's task is out.
fn replaced(bed: &mut Bed) -> Arc<StepTask> {
    let effects = bed.effects();
    let [Effect::SetAlarm { at, alarm, .. }] = effects.as_slice() else {
        panic!("nobody is told to stop while the worker may come back: {effects:?}")
    };
    bed.now = *at;
    bed.command(&Command::Alarm(*alarm));
    bed.settle();
    bed.task()
}

fn listing(worker: &WorkerId, task: &StepTask) -> Heartbeat {
    Heartbeat {
        running: vec![RunningAttempt {
            attempt: task.attempt,
            token: task.token,
            phase: Phase::Running,
        }],
        ..heartbeat(worker, 100, &["cpu"])
    }
}

/// Hears a heartbeat as the driver does; answers with the facts.
fn hear(bed: &mut Bed, heartbeat: &Heartbeat) -> Vec<Fact> {
    let mut facts = Vec::new();
    for command in bed.engine.returning(heartbeat) {
        facts.extend(bed.command(&command));
    }
    bed.settle();
    facts
}

fn statuses(bed: &Bed, run: RunId) -> Vec<AttemptStatus> {
    let attempts = bed.step(run, "a").attempts().iter();
    attempts.map(tidemill_engine::Attempt::status).collect()
}

#[test]
fn a_worker_that_is_back_during_the_pause_keeps_its_attempt() {
    let (mut bed, run, task) = lost();
    assert_eq!(bed.step_status(run, "a"), StepStatus::Waiting);
    let facts = hear(&mut bed, &listing(&worker(1), &task));
    assert!(matches!(
        facts[..],
        [Fact::AttemptResumed { withdrawn: None, .. }]
    ));
    assert_eq!(statuses(&bed, run), [AttemptStatus::Running]);
    assert_eq!(bed.step(run, "a").tries().crashes, 0, "it was no crash after all");
    assert_eq!(bed.engine.review(&listing(&worker(1), &task)), []);
    bed.effects();
    bed.succeed(&task, "kept");
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn an_unclaimed_replacement_is_withdrawn_and_its_task_is_void() {
    let (mut bed, run, first) = lost();
    let second = replaced(&mut bed);
    let facts = hear(&mut bed, &listing(&worker(1), &first));
    assert!(matches!(
        facts[..],
        [Fact::AttemptResumed {
            withdrawn: Some(2),
            ..
        }]
    ));
    assert_eq!(
        statuses(&bed, run),
        [AttemptStatus::Running, AttemptStatus::Withdrawn]
    );
    assert_eq!(bed.engine.outstanding(), [], "no task is to be in a queue");
    let refused = bed
        .report_by(&worker(2), &second, ReportBody::Claimed)
        .unwrap_err();
    let stop = Effect::StopAttempt {
        worker: worker(2),
        attempt: second.attempt,
        token: second.token,
        reason: StopReason::Fenced,
    };
    assert_eq!(refused.stop(), Some(stop));
    let done = bed.report_by(&worker(2), &second, success("void"));
    assert_eq!(done, Err(Rejection::Stale), "its result is no result");
    bed.succeed(&first, "kept");
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    assert_eq!(
        statuses(&bed, run),
        [AttemptStatus::Succeeded, AttemptStatus::Withdrawn]
    );
    bed.nothing_else();
}

#[test]
fn a_claimed_replacement_stays_and_the_old_worker_is_fenced() {
    let (mut bed, run, first) = lost();
    let second = replaced(&mut bed);
    bed.report_by(&worker(2), &second, ReportBody::Claimed).unwrap();
    let fence = Effect::StopAttempt {
        worker: worker(1),
        attempt: first.attempt,
        token: first.token,
        reason: StopReason::Fenced,
    };
    assert_eq!(bed.effects(), std::slice::from_ref(&fence), "it is told at once");
    assert_eq!(hear(&mut bed, &listing(&worker(1), &first)), []);
    assert_eq!(
        bed.engine.review(&listing(&worker(1), &first)),
        [fence],
        "and again"
    );
    assert_eq!(bed.report(&first, success("late")), Err(Rejection::Stale));
    bed.report_by(&worker(2), &second, success("new")).unwrap();
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    assert_eq!(
        statuses(&bed, run),
        [AttemptStatus::Lost, AttemptStatus::Succeeded]
    );
    bed.nothing_else();
}

#[test]
fn a_result_that_was_made_in_silence_counts_until_a_replacement_is_claimed() {
    let (mut bed, run, first) = lost();
    replaced(&mut bed);
    let facts = bed.report(&first, success("made")).unwrap();
    assert!(matches!(
        facts[..],
        [Fact::AttemptResumed { .. }, Fact::AttemptSucceeded { .. }]
    ));
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn an_old_word_of_life_neither_revives_nor_stops() {
    let (mut bed, run, task) = lost();
    for body in [
        ReportBody::Claimed,
        ReportBody::Progress {
            phase: Phase::Running,
        },
    ] {
        assert_eq!(bed.report(&task, body), Err(Rejection::Stale));
    }
    assert_eq!(statuses(&bed, run), [AttemptStatus::Lost]);
}

#[test]
fn nobody_else_can_take_up_what_a_worker_lost() {
    let (mut bed, run, task) = lost();
    assert_eq!(hear(&mut bed, &listing(&worker(2), &task)), []);
    let mut forged = StepTask::clone(&task);
    forged.token.0 += 1;
    assert_eq!(hear(&mut bed, &listing(&worker(1), &forged)), []);
    assert_eq!(
        bed.report_by(&worker(2), &task, success("theirs")),
        Err(Rejection::Stale)
    );
    assert_eq!(statuses(&bed, run), [AttemptStatus::Lost]);
}

#[test]
fn a_worker_may_be_lost_and_found_many_times() {
    let (mut bed, run, task) = lost();
    for _ in 0..10 {
        replaced(&mut bed);
        hear(&mut bed, &listing(&worker(1), &task));
        assert_eq!(bed.step_status(run, "a"), StepStatus::Running);
        lose(&mut bed, &task);
    }
    let last = replaced(&mut bed);
    assert_eq!(last.attempt.attempt, 12, "no number is given twice");
    bed.claim(&last);
    bed.effects();
    bed.succeed(&last, "at last");
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn a_failure_of_a_resumed_attempt_is_the_steps_own() {
    let (mut bed, run, task) = lost();
    replaced(&mut bed);
    hear(&mut bed, &listing(&worker(1), &task));
    bed.fail(&task);
    assert_eq!(bed.status(run), RunStatus::Failed);
    let failure = bed.step(run, "a").failure().expect("it failed");
    assert_eq!(failure.reason, FailureReason::ExitCode { code: 1 });
    bed.nothing_else();
}

#[test]
fn a_cancelled_run_is_not_taken_up_again() {
    let (mut bed, run, task) = lost();
    bed.effects();
    bed.command(&Command::CancelRun {
        run,
        by: "ada".into(),
    });
    let listing = listing(&worker(1), &task);
    assert_eq!(hear(&mut bed, &listing), []);
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    let told = bed.engine.review(&listing);
    assert!(matches!(
        told[..],
        [Effect::StopAttempt {
            reason: StopReason::Cancelled,
            ..
        }]
    ));
    bed.nothing_else();
}

#[test]
fn what_was_lost_before_the_run_was_retried_stays_lost() {
    let (mut bed, run, task) = lost();
    bed.effects();
    bed.command(&Command::CancelRun {
        run,
        by: "ada".into(),
    });
    bed.settle();
    bed.command(&Command::RetryRun {
        run,
        by: "ada".into(),
    });
    bed.settle();
    bed.task();
    assert_eq!(hear(&mut bed, &listing(&worker(1), &task)), []);
    assert_eq!(bed.report(&task, success("old")), Err(Rejection::Stale));
    assert_eq!(bed.step_status(run, "a"), StepStatus::Dispatched);
    bed.nothing_else();
}
