//! What an attempt saves for the next one, and machines that are taken away.

use crate::bed::{Bed, artifact, worker};
use crate::draft::Draft;
use std::sync::Arc;
use tidemill_engine::{Command, Effect, Fact, Rejection};
use tidemill_protocol::ids::RunId;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};
use tidemill_protocol::wire::{AttemptUsage, ReportBody, StepTask};

fn one_step(checkpoint: bool) -> (Bed, RunId, Arc<StepTask>) {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().with("a", &[], |a| a.checkpoint = checkpoint));
    let task = bed.task();
    bed.claim(&task);
    (bed, run, task)
}

fn saved(content: &str) -> ReportBody {
    ReportBody::Checkpointed {
        checkpoint: artifact(content),
    }
}

fn preempted() -> ReportBody {
    ReportBody::Preempted {
        usage: AttemptUsage::default(),
    }
}

/// Loses the attempt; answers with the task of the next.
fn lose(bed: &mut Bed, task: &StepTask) -> Arc<StepTask> {
    bed.command(&Command::ExpireLease {
        attempt: task.attempt,
        token: task.token,
    });
    let effects = bed.effects();
    let [Effect::SetAlarm { at, alarm, .. }] = effects.as_slice() else {
        panic!("a pause was expected: {effects:?}")
    };
    bed.now = *at;
    bed.command(&Command::Alarm(*alarm));
    bed.settle();
    bed.task()
}

#[test]
fn the_next_attempt_is_given_what_the_last_one_saved() {
    let (mut bed, _, first) = one_step(true);
    assert_eq!(first.checkpoint, None);
    bed.report(&first, saved("epoch 1")).unwrap();
    let facts = bed.report(&first, saved("epoch 2")).unwrap();
    assert!(matches!(facts[..], [Fact::CheckpointSaved { .. }]));
    assert_eq!(
        bed.report(&first, saved("epoch 2")),
        Ok(Vec::new()),
        "nothing new"
    );
    let second = lose(&mut bed, &first);
    assert_eq!(second.checkpoint, Some(artifact("epoch 2")));
    assert_eq!(second.key, first.key, "it is the same work");
    bed.nothing_else();
}

#[test]
fn a_step_that_did_not_ask_for_checkpoints_has_none() {
    let (mut bed, _, first) = one_step(false);
    assert_eq!(bed.report(&first, saved("unasked")), Ok(Vec::new()));
    assert_eq!(lose(&mut bed, &first).checkpoint, None);
}

#[test]
fn what_a_lost_worker_saved_counts_until_somebody_else_works() {
    let (mut bed, run, first) = one_step(true);
    let second = lose(&mut bed, &first);
    bed.report(&first, saved("late")).unwrap();
    assert_eq!(bed.step(run, "a").checkpoint(), Some(&artifact("late")));
    bed.report_by(&worker(2), &second, ReportBody::Claimed).unwrap();
    bed.effects();
    assert_eq!(bed.report(&first, saved("too late")), Err(Rejection::Stale));
    assert_eq!(bed.step(run, "a").checkpoint(), Some(&artifact("late")));
}

#[test]
fn a_cancelled_run_that_is_retried_goes_on_from_the_checkpoint() {
    let (mut bed, run, first) = one_step(true);
    bed.report(&first, saved("epoch 1")).unwrap();
    let by = || "ada".to_owned();
    bed.command(&Command::CancelRun { run, by: by() });
    let usage = AttemptUsage::default();
    bed.report(&first, ReportBody::Stopped { usage }).unwrap();
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    bed.effects();
    bed.command(&Command::RetryRun { run, by: by() });
    bed.settle();
    assert_eq!(bed.task().checkpoint, Some(artifact("epoch 1")));
}

#[test]
fn a_result_makes_its_checkpoint_forgotten() {
    let (mut bed, run, first) = one_step(true);
    bed.report(&first, saved("epoch 1")).unwrap();
    bed.succeed(&first, "done");
    assert_eq!(bed.step(run, "a").checkpoint(), None);
}

#[test]
fn a_preempted_attempt_is_made_again_at_once_and_costs_no_retry() {
    let (mut bed, run, mut task) = one_step(true);
    for count in 1..=30 {
        bed.report(&task, saved(&format!("epoch {count}"))).unwrap();
        bed.report(&task, preempted()).unwrap();
        let next = bed.task();
        assert_eq!(next.attempt.attempt, count + 1);
        assert_eq!(next.checkpoint, Some(artifact(&format!("epoch {count}"))));
        task = next;
    }
    let step = bed.step(run, "a");
    assert_eq!((step.tries().failures, step.tries().crashes), (0, 0));
    assert_eq!(step.attempts()[0].status(), AttemptStatus::Preempted);
    bed.succeed(&task, "at last");
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn a_step_whose_machines_are_taken_away_without_end_pauses_and_fails() {
    let (mut bed, run, mut task) = one_step(false);
    for _ in 0..100 {
        bed.report(&task, preempted()).unwrap();
        task = bed.task();
    }
    bed.report(&task, preempted()).unwrap();
    assert_eq!(bed.step_status(run, "a"), StepStatus::Waiting);
    assert_eq!(bed.step(run, "a").tries().crashes, 1);
}

#[test]
fn a_preempted_attempt_of_a_cancelled_run_is_over() {
    let (mut bed, run, task) = one_step(false);
    bed.command(&Command::CancelRun {
        run,
        by: "ada".into(),
    });
    bed.report(&task, preempted()).unwrap();
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    bed.effects();
    bed.nothing_else();
}
