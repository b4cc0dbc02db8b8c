//! Reuse: what is known is not executed again, and equal work is done by one step at a time.

use crate::bed::{Bed, worker};
use crate::draft::Draft;
use tidemill_engine::{Command, Fact, StepState};
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::wire::{AttemptUsage, ReportBody};

fn two() -> Draft {
    Draft::new().step("a", &[]).step("b", &["a"])
}

#[test]
fn an_unchanged_rerun_executes_nothing_even_without_workers() {
    let mut bed = Bed::new();
    let first = bed.submit(&two());
    bed.run_out();
    bed.fleet.forget(&worker(1));
    let second = bed.submit(&two());
    assert_eq!(bed.status(second), RunStatus::Succeeded);
    let source = bed.step_ref(first, "b");
    let StepState::Reused {
        source: taken,
        success,
    } = bed.step(second, "b").state()
    else {
        panic!()
    };
    assert_eq!((*taken, Some(success)), (source, bed.step(first, "b").result()));
    bed.nothing_else();
}

#[test]
fn a_changed_step_that_writes_the_same_bytes_leaves_everything_below_it_reused() {
    let mut bed = Bed::new();
    bed.submit(&two());
    bed.run_out();
    let second = bed.submit(&two().edit("a", |a| a.literal = "2"));
    let task = bed.task();
    assert_eq!(task.path.as_str(), "a");
    bed.succeed(&task, "a");
    assert_eq!(bed.step_status(second, "b"), StepStatus::Reused);
    bed.nothing_else();
    let third = bed.submit(&two().edit("a", |a| a.literal = "3"));
    let task = bed.task();
    bed.succeed(&task, "other bytes");
    assert_eq!(bed.step_status(third, "b"), StepStatus::Dispatched);
}

#[test]
fn equal_work_of_two_runs_is_executed_once() {
    let mut bed = Bed::new();
    let first = bed.submit(&two());
    let task = bed.task();
    let second = bed.submit(&two());
    assert_eq!(*bed.step(second, "a").state(), StepState::Following);
    assert_eq!(bed.step_status(second, "a"), StepStatus::Ready);
    bed.nothing_else();
    bed.succeed(&task, "a");
    assert_eq!(bed.step_status(second, "a"), StepStatus::Reused);
    let b = bed.task();
    assert_eq!(b.attempt.run, first);
    bed.succeed(&b, "b");
    assert_eq!(
        (bed.status(first), bed.status(second)),
        (RunStatus::Succeeded, RunStatus::Succeeded)
    );
    bed.nothing_else();
}

#[test]
fn a_follower_takes_over_when_its_leader_fails() {
    let mut bed = Bed::new();
    let first = bed.submit(&two());
    let task = bed.task();
    let second = bed.submit(&two());
    let third = bed.submit(&two());
    bed.fail(&task);
    assert_eq!(bed.status(first), RunStatus::Failed);
    let heir = bed.task();
    assert_eq!(heir.attempt.run, second);
    assert_eq!(*bed.step(third, "a").state(), StepState::Following);
    bed.succeed(&heir, "a");
    assert_eq!(bed.step_status(third, "a"), StepStatus::Reused);
}

#[test]
fn a_follower_takes_over_when_its_leaders_run_is_cancelled() {
    for claimed in [false, true] {
        let mut bed = Bed::new();
        let first = bed.submit(&two());
        let task = bed.task();
        if claimed {
            bed.claim(&task);
        }
        let second = bed.submit(&two());
        bed.command(&Command::CancelRun {
            run: first,
            by: "ada".into(),
        });
        bed.settle();
        if claimed {
            assert_eq!(
                *bed.step(second, "a").state(),
                StepState::Following,
                "the leader may yet succeed"
            );
            bed.effects();
            bed.report(
                &task,
                ReportBody::Stopped {
                    usage: AttemptUsage::default(),
                },
            )
            .unwrap();
        }
        assert_eq!(bed.task().attempt.run, second);
        bed.nothing_else();
    }
}

#[test]
fn a_leader_keeps_the_lead_between_its_attempts() {
    let mut bed = Bed::new();
    bed.submit(&two().edit("a", |a| a.retries = 1));
    let task = bed.task();
    let second = bed.submit(&two());
    bed.fail(&task);
    bed.effects();
    assert_eq!(*bed.step(second, "a").state(), StepState::Following);
    bed.nothing_else();
}

#[test]
fn equal_steps_of_one_run_are_executed_once_too() {
    let mut bed = Bed::new();
    let twins = Draft::new()
        .with("left", &[], |s| s.work = "same")
        .with("right", &[], |s| s.work = "same");
    let run = bed.submit(&twins);
    let task = bed.task();
    bed.succeed(&task, "same");
    assert_eq!(bed.step_status(run, "right"), StepStatus::Reused);
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn a_waiting_equal_of_higher_priority_goes_first() {
    let mut bed = Bed::with_slots(0);
    let park = Draft::new().step("x", &[]).step("y", &[]);
    bed.submit(&park);
    bed.tasks();
    let low = bed.submit(&two());
    let high = bed.submit(&two().edit("a", |a| a.priority = 5));
    bed.fleet.hear(
        tidemill_protocol::time::Millis(0),
        bed.now,
        &crate::bed::heartbeat(&worker(1), 10, &["cpu"]),
    );
    bed.settle();
    assert_eq!(bed.task().attempt.run, high, "no lead is held by what only waits");
    assert_eq!(*bed.step(low, "a").state(), StepState::Following);
}

#[test]
fn steps_without_cache_neither_take_nor_offer_results() {
    let mut bed = Bed::new();
    let draft = Draft::new().with("a", &[], |a| a.cache = false);
    bed.submit(&draft);
    let one = bed.task();
    bed.submit(&draft);
    let two = bed.task();
    bed.succeed(&one, "a");
    bed.succeed(&two, "a");
    assert_eq!(bed.engine.cached_results().len(), 0);
    bed.submit(&draft);
    bed.task();
    bed.nothing_else();
}

#[test]
fn a_forced_rerun_executes_everything_and_offers_its_new_results() {
    let mut bed = Bed::new();
    bed.submit(&two());
    bed.run_out();
    let mut forced = two();
    forced.force_rerun = true;
    let second = bed.submit(&forced);
    let a = bed.task();
    bed.succeed(&a, "other bytes");
    let b = bed.task();
    bed.succeed(&b, "b");
    let third = bed.submit(&two());
    assert_eq!(bed.status(third), RunStatus::Succeeded);
    let source = bed.step_ref(second, "a");
    assert!(matches!(bed.step(third, "a").state(), StepState::Reused { source: s, .. } if *s == source));
    bed.nothing_else();
}

#[test]
fn the_result_of_a_forced_rerun_serves_those_who_wait_for_the_same_work() {
    let mut bed = Bed::with_slots(0);
    let mut forced = Draft::new().step("a", &[]);
    forced.force_rerun = true;
    bed.submit(&forced);
    let task = bed.task();
    bed.submit(&Draft::new().step("filler", &[]));
    bed.task();
    let waits = bed.submit(&Draft::new().step("a", &[]));
    assert_eq!(*bed.step(waits, "a").state(), StepState::Ready);
    bed.succeed(&task, "a");
    assert_eq!(bed.status(waits), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn a_result_is_kept_as_long_as_a_run_that_holds_it() {
    let mut bed = Bed::new();
    let first = bed.submit(&two());
    bed.run_out();
    let second = bed.submit(&two());
    bed.command(&Command::ForgetRun { run: first });
    assert_eq!(bed.engine.cached_results().len(), 2);
    let third = bed.submit(&two());
    assert_eq!(bed.status(third), RunStatus::Succeeded);
    bed.command(&Command::ForgetRun { run: second });
    bed.command(&Command::ForgetRun { run: third });
    assert_eq!(bed.engine.cached_results().len(), 0);
    bed.submit(&two());
    bed.task();
    bed.nothing_else();
}

#[test]
fn a_result_that_is_forgotten_before_it_is_taken_is_made_again() {
    let mut bed = Bed::new();
    let first = bed.submit(&Draft::new().step("a", &[]));
    bed.run_out();
    let (second, command) = bed.submission(Draft::new().step("a", &[]).plan());
    bed.command(&command);
    bed.command(&Command::ForgetRun { run: first });
    let facts = bed.settle();
    assert!(matches!(facts[0], Fact::AttemptDispatched { .. }), "{facts:?}");
    assert_eq!(bed.task().attempt.run, second);
}

#[test]
fn a_result_whose_bytes_are_lost_is_made_again_and_taken_over_from_then_on() {
    let mut bed = Bed::new();
    let first = bed.submit(&two());
    bed.run_out();
    let outputs = &bed.step(first, "a").result().unwrap().outputs;
    let artifact = *outputs.values().next().unwrap();
    let lose = Command::LoseArtifact { artifact };
    assert_eq!(bed.command(&lose), [Fact::ArtifactLost { artifact }]);
    assert_eq!(bed.command(&lose), [], "it is known already");
    let second = bed.submit(&two());
    let task = bed.task();
    assert_eq!((task.attempt.run, task.path.as_str()), (second, "a"));
    let third = bed.submit(&two());
    assert_eq!(*bed.step(third, "a").state(), StepState::Following);
    bed.succeed(&task, "a");
    assert_eq!(bed.step_status(third, "a"), StepStatus::Reused);
    bed.run_out();
    let fourth = bed.submit(&two());
    assert_eq!(bed.status(fourth), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn runs_that_hold_a_lost_result_may_be_forgotten_while_others_make_it_again() {
    let mut bed = Bed::new();
    let (first, second) = (bed.submit(&two()), bed.submit(&two()));
    bed.run_out();
    let outputs = &bed.step(first, "b").result().unwrap().outputs;
    let artifact = *outputs.values().next().unwrap();
    bed.command(&Command::LoseArtifact { artifact });
    let third = bed.submit(&two());
    assert_eq!(
        bed.step_status(third, "a"),
        StepStatus::Reused,
        "only what is lost is made again"
    );
    let task = bed.task();
    bed.command(&Command::ForgetRun { run: first });
    bed.succeed(&task, "b");
    bed.command(&Command::ForgetRun { run: second });
    bed.command(&Command::ForgetRun { run: third });
    bed.settle();
    bed.submit(&two());
    assert_eq!(bed.run_out(), ["a", "b"], "nothing is kept of what nobody holds");
}
