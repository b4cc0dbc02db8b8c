//! Attempts: claims, reports that come late or twice, retries, lost workers, tasks that come back.

use crate::bed::{Bed, success, worker};
use crate::draft::Draft;
use std::sync::Arc;
use tidemill_engine::{Alarm, Command, Effect, Fact, Rejection};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::ids::FencingToken;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};
use tidemill_protocol::time::{Millis, Timestamp};
use tidemill_protocol::wire::{AttemptUsage, Phase, ReportBody, StepTask, StopReason};

fn one_step(retries: u32) -> (Bed, tidemill_protocol::ids::RunId, Arc<StepTask>) {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().with("a", &[], |a| a.retries = retries));
    let task = bed.task();
    (bed, run, task)
}

/// Ends the pause of the step and answers with the task of its next attempt.
fn after_pause(bed: &mut Bed) -> Arc<StepTask> {
    let effects = bed.effects();
    let [Effect::SetAlarm { at, alarm, .. }] = effects.as_slice() else {
        panic!("one alarm was expected: {effects:?}")
    };
    bed.now = *at;
    bed.command(&Command::Alarm(*alarm));
    bed.settle();
    bed.task()
}

#[test]
fn the_first_claimant_is_bound_and_any_other_is_told_to_stop() {
    let (mut bed, run, task) = one_step(0);
    bed.claim(&task);
    assert_eq!(bed.step(run, "a").attempts()[0].worker(), Some(&worker(1)));
    let rejection = bed.report_by(&worker(2), &task, ReportBody::Claimed).unwrap_err();
    let stop = Effect::StopAttempt {
        worker: worker(2),
        attempt: task.attempt,
        token: task.token,
        reason: StopReason::Fenced,
    };
    assert_eq!(rejection.stop(), Some(stop));
    assert_eq!(bed.step(run, "a").attempts()[0].worker(), Some(&worker(1)));
    bed.nothing_else();
}

#[test]
fn a_repeated_claim_changes_nothing_and_stops_nobody() {
    let (mut bed, _, task) = one_step(0);
    bed.claim(&task);
    assert_eq!(bed.report(&task, ReportBody::Claimed), Err(Rejection::Stale));
    bed.nothing_else();
}

#[test]
fn a_report_with_another_token_changes_nothing() {
    let (mut bed, run, task) = one_step(3);
    let mut forged = StepTask::clone(&task);
    for token in [task.token.0 - 1, task.token.0 + 1] {
        forged.token = FencingToken(token);
        assert!(matches!(
            bed.report(&forged, ReportBody::Claimed),
            Err(Rejection::Fenced { .. })
        ));
        assert_eq!(bed.report(&forged, success("forged")), Err(Rejection::Stale));
        assert_eq!(bed.report(&forged, ReportBody::Returned), Err(Rejection::Stale));
        let stopped = ReportBody::Stopped {
            usage: AttemptUsage::default(),
        };
        assert_eq!(bed.report(&forged, stopped), Err(Rejection::Stale));
        let expiry = Command::ExpireLease {
            attempt: task.attempt,
            token: forged.token,
        };
        assert_eq!(bed.try_command(&expiry), Err(Rejection::Stale));
        let dead = Command::DeadLetter {
            attempt: task.attempt,
            token: forged.token,
        };
        assert_eq!(bed.try_command(&dead), Err(Rejection::Stale));
    }
    assert_eq!(bed.step_status(run, "a"), StepStatus::Dispatched);
    bed.nothing_else();
}

#[test]
fn a_report_about_an_attempt_that_is_over_changes_nothing() {
    let (mut bed, run, task) = one_step(0);
    bed.claim(&task);
    bed.succeed(&task, "first");
    let before = bed.step(run, "a").result().cloned();
    assert_eq!(bed.report(&task, success("second")), Err(Rejection::Stale));
    assert!(matches!(
        bed.report(&task, ReportBody::Claimed),
        Err(Rejection::Fenced { .. })
    ));
    assert_eq!(bed.step(run, "a").result().cloned(), before);
    bed.nothing_else();
}

#[test]
fn a_success_without_a_claim_is_accepted_and_says_who_made_it() {
    let (mut bed, run, task) = one_step(0);
    bed.report_by(&worker(7), &task, success("late")).unwrap();
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    assert_eq!(bed.step(run, "a").attempts()[0].worker(), Some(&worker(7)));
    bed.nothing_else();
}

#[test]
fn a_success_of_a_worker_that_does_not_hold_the_attempt_is_refused() {
    let (mut bed, run, task) = one_step(0);
    bed.claim(&task);
    assert_eq!(
        bed.report_by(&worker(2), &task, success("other")),
        Err(Rejection::Stale)
    );
    assert_eq!(bed.step_status(run, "a"), StepStatus::Running);
    bed.nothing_else();
}

#[test]
fn progress_is_shown_and_not_stored() {
    let (mut bed, _, task) = one_step(0);
    bed.claim(&task);
    assert_eq!(
        bed.report(
            &task,
            ReportBody::Progress {
                phase: Phase::Running
            }
        ),
        Ok(Vec::new())
    );
    bed.nothing_else();
}

#[test]
fn a_report_in_newer_words_is_refused_as_such() {
    let (mut bed, _, task) = one_step(0);
    assert_eq!(
        bed.report(&task, ReportBody::Unknown),
        Err(Rejection::UnknownReport)
    );
    bed.nothing_else();
}

#[test]
fn a_failed_attempt_is_followed_by_another_with_a_larger_token_after_a_pause() {
    let (mut bed, run, first) = one_step(1);
    bed.claim(&first);
    bed.fail(&first);
    assert_eq!(bed.step_status(run, "a"), StepStatus::Waiting);
    let second = after_pause(&mut bed);
    assert_eq!(second.attempt.attempt, 2);
    assert!(second.token > first.token);
    bed.fail(&second);
    assert_eq!(bed.step_status(run, "a"), StepStatus::Failed);
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.nothing_else();
}

#[test]
fn an_alarm_for_another_attempt_is_stale() {
    let (mut bed, run, task) = one_step(2);
    bed.fail(&task);
    bed.effects();
    let alarm = |attempt| {
        Command::Alarm(Alarm::RetryStep {
            run,
            step: task.attempt.step,
            attempt,
        })
    };
    assert_eq!(bed.try_command(&alarm(2)), Err(Rejection::Stale));
    bed.command(&alarm(1));
    assert_eq!(
        bed.try_command(&alarm(1)),
        Err(Rejection::Stale),
        "and it is due once"
    );
    bed.settle();
    bed.task();
    bed.nothing_else();
}

#[test]
fn failures_of_machines_are_retried_without_the_authors_leave_and_not_for_ever() {
    let (mut bed, run, mut task) = one_step(0);
    for crash in 1..=5 {
        assert_eq!(task.attempt.attempt, crash);
        bed.claim(&task);
        let expiry = Command::ExpireLease {
            attempt: task.attempt,
            token: task.token,
        };
        bed.command(&expiry);
        bed.settle();
        let mut effects = bed.effects();
        let fenced = |effect: &Effect| {
            matches!(
                effect,
                Effect::StopAttempt {
                    reason: StopReason::Fenced,
                    ..
                }
            )
        };
        let told = effects.iter().filter(|effect| fenced(effect)).count();
        let replaced = usize::from(crash > 1);
        assert_eq!(
            told,
            replaced + usize::from(crash == 5),
            "the silent worker is told to stop once it is replaced, or never will be"
        );
        effects.retain(|effect| !fenced(effect));
        assert_eq!(
            effects.len(),
            usize::from(crash < 5),
            "an alarm, but not after the last"
        );
        if let Some(Effect::SetAlarm { at, alarm, .. }) = effects.pop() {
            bed.now = at;
            bed.command(&Command::Alarm(alarm));
            bed.settle();
            task = bed.task();
        }
    }
    assert_eq!(bed.step_status(run, "a"), StepStatus::Failed);
    assert_eq!(bed.step(run, "a").attempts()[0].status(), AttemptStatus::Lost);
    bed.nothing_else();
}

#[test]
fn a_store_that_is_away_for_a_day_fails_no_step_and_uses_up_none_of_its_tries() {
    let (mut bed, run, mut task) = one_step(0);
    let begun = bed.now;
    for outage in 1..300 {
        assert_eq!(task.attempt.attempt, outage);
        bed.claim(&task);
        bed.fail_for(&task, FailureReason::StoreUnavailable);
        bed.settle();
        task = after_pause(&mut bed);
    }
    assert!(
        bed.now.since(begun) > Millis::from_secs(24 * 3600),
        "a day at least"
    );
    bed.claim(&task);
    bed.fail_for(&task, FailureReason::DiskFull);
    bed.settle();
    task = after_pause(&mut bed);
    bed.claim(&task);
    bed.fail_for(&task, FailureReason::StoreUnavailable);
    bed.settle();
    assert_eq!(bed.step_status(run, "a"), StepStatus::Failed, "but not for ever");
    bed.nothing_else();
}

#[test]
fn an_alarm_says_how_long_the_pause_is_whatever_the_clock_says_later() {
    let (mut bed, _, task) = one_step(1);
    bed.claim(&task);
    bed.fail(&task);
    bed.settle();
    let failed = bed.now;
    let effects = bed.effects();
    let [set @ Effect::SetAlarm { at, pause, .. }] = effects.as_slice() else {
        panic!("one alarm was expected: {effects:?}")
    };
    assert_eq!(*pause, at.since(failed));
    assert_eq!(
        bed.engine.outstanding(),
        std::slice::from_ref(set),
        "also after a restart"
    );
}

#[test]
fn a_lease_without_a_claim_cannot_run_out() {
    let (mut bed, _, task) = one_step(0);
    let expiry = Command::ExpireLease {
        attempt: task.attempt,
        token: task.token,
    };
    assert_eq!(bed.try_command(&expiry), Err(Rejection::Stale));
    bed.nothing_else();
}

#[test]
fn a_task_that_is_given_back_costs_no_retry() {
    let (mut bed, run, task) = one_step(0);
    bed.claim(&task);
    bed.report(&task, ReportBody::Returned).unwrap();
    let again = bed.task();
    assert_eq!(again.attempt.attempt, 2);
    assert!(again.token > task.token);
    assert_eq!(bed.step(run, "a").tries().failures, 0);
    assert_eq!(bed.step(run, "a").attempts()[0].status(), AttemptStatus::Returned);
    bed.nothing_else();
}

#[test]
fn a_task_that_nobody_keeps_is_not_offered_without_a_pause_for_ever() {
    let (mut bed, run, mut task) = one_step(0);
    for _ in 0..20 {
        bed.report(&task, ReportBody::Returned).unwrap();
        task = bed.task();
    }
    bed.report(&task, ReportBody::Returned).unwrap();
    assert_eq!(bed.step_status(run, "a"), StepStatus::Waiting);
    after_pause(&mut bed);
    bed.nothing_else();
}

#[test]
fn a_dead_letter_is_a_lost_attempt_unless_a_worker_holds_it() {
    let (mut bed, run, task) = one_step(0);
    let dead = Command::DeadLetter {
        attempt: task.attempt,
        token: task.token,
    };
    bed.command(&dead);
    assert_eq!(bed.step(run, "a").attempts()[0].status(), AttemptStatus::Lost);
    let second = after_pause(&mut bed);
    bed.claim(&second);
    let dead = Command::DeadLetter {
        attempt: second.attempt,
        token: second.token,
    };
    assert_eq!(bed.try_command(&dead), Err(Rejection::Stale));
    bed.nothing_else();
}

#[test]
fn an_attempt_that_stops_unasked_is_lost() {
    let (mut bed, run, task) = one_step(0);
    bed.claim(&task);
    bed.report(
        &task,
        ReportBody::Stopped {
            usage: AttemptUsage::default(),
        },
    )
    .unwrap();
    assert_eq!(bed.step(run, "a").attempts()[0].status(), AttemptStatus::Lost);
    assert_eq!(bed.step_status(run, "a"), StepStatus::Waiting);
}

#[test]
fn a_final_reason_is_not_retried() {
    let (mut bed, run, task) = one_step(5);
    bed.fail_for(&task, FailureReason::ExecutorMissing);
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.nothing_else();
}

#[test]
fn tokens_of_a_later_epoch_are_larger_than_any_that_an_earlier_one_could_have_given() {
    let (mut bed, _, first) = one_step(0);
    bed.command(&Command::StartEpoch { epoch: 3 });
    assert_eq!(
        bed.try_command(&Command::StartEpoch { epoch: 3 }),
        Err(Rejection::OldEpoch(3))
    );
    bed.submit(&Draft::new().with("b", &[], |b| b.retries = 1));
    let second = bed.task();
    assert!(first.token < FencingToken(3 << 32) && second.token > FencingToken(3 << 32));
}

#[test]
fn facts_carry_the_moment_at_which_they_were_decided() {
    let (mut bed, run, task) = one_step(0);
    bed.now = Timestamp(5_000);
    bed.claim(&task);
    bed.now = Timestamp(7_000);
    bed.succeed(&task, "a");
    let step = bed.step(run, "a");
    assert_eq!(
        (step.started_at(), step.finished_at()),
        (Some(Timestamp(5_000)), Some(Timestamp(7_000)))
    );
    assert_eq!(bed.run(run).finished_at(), Some(Timestamp(7_000)));
    assert!(
        bed.engine
            .decide(
                bed.now,
                &Command::RetryRun {
                    run,
                    by: "ada".into()
                }
            )
            .is_err()
    );
    let facts: Vec<Fact> = bed.settle();
    assert_eq!(facts, []);
}
