//! Runs as a whole: submission, cancel, stop, retry, added steps, forgetting.

use crate::bed::{Bed, success, worker};
use crate::draft::Draft;
use std::sync::Arc;
use tidemill_engine::{Command, Effect, Fact, Rejection};
use tidemill_protocol::ids::{RunId, StepIndex};
use tidemill_protocol::plan::{InputBinding, OnStepFailure, Plan, StepOutput, When};
use tidemill_protocol::status::{RunStatus, StepStatus};
use tidemill_protocol::wire::{AttemptUsage, ReportBody, StepTask, StopReason};

fn cancel(run: RunId) -> Command {
    Command::CancelRun {
        run,
        by: "ada".into(),
    }
}

fn retry(run: RunId) -> Command {
    Command::RetryRun {
        run,
        by: "ada".into(),
    }
}

fn stop_of(task: &StepTask, reason: StopReason) -> Effect {
    Effect::StopAttempt {
        worker: worker(1),
        attempt: task.attempt,
        token: task.token,
        reason,
    }
}

fn stopped() -> ReportBody {
    ReportBody::Stopped {
        usage: AttemptUsage::default(),
    }
}

/// What makes a sound plan unsound.
type Breakage<'a> = &'a dyn Fn(&mut Plan);

#[test]
fn a_submission_is_accepted_once_for_each_key_and_id() {
    let mut bed = Bed::new();
    let plan = Arc::new(Draft::new().step("a", &[]).plan());
    let first = bed.new_run_id();
    let submission = |run, key: Option<&str>| Command::SubmitRun {
        run,
        plan: Arc::clone(&plan),
        submitted_by: "ada".into(),
        idempotency_key: key.map(str::to_owned),
    };
    bed.command(&submission(first, Some("key")));
    let other = bed.new_run_id();
    assert_eq!(
        bed.try_command(&submission(other, Some("key"))),
        Err(Rejection::AlreadySubmitted(first))
    );
    assert_eq!(
        bed.try_command(&submission(first, None)),
        Err(Rejection::RunExists)
    );
    assert_eq!(bed.engine.runs_len(), 1);
    bed.command(&submission(other, Some("another")));
    assert_eq!(
        bed.engine
            .run_of_idempotency_key("another")
            .map(tidemill_engine::Run::id),
        Some(other)
    );
}

#[test]
fn unsound_plans_are_refused_with_the_rule_that_they_break() {
    let sound = || Draft::new().step("a", &[]).step("b", &["a"]).plan();
    let input = |step: u32, output: &str| {
        InputBinding::Step(StepOutput {
            step: StepIndex(step),
            output: output.parse().unwrap(),
        })
    };
    let cases: [(&str, Breakage<'_>); 8] = [
        ("has template 9, which does not exist", &|plan| {
            plan.steps[0].template = 9;
        }),
        ("two steps are named a", &|plan| {
            plan.steps[1].path = "a".parse().unwrap();
        }),
        ("waits for step number 7, which does not exist", &|plan| {
            plan.steps[0].after = vec![StepIndex(7)];
        }),
        ("waits for itself through others", &|plan| {
            plan.steps[0].after = vec![StepIndex(1)];
        }),
        ("names output nothing of step a, which is not declared", &|plan| {
            plan.steps[1].inputs[1].1 = input(0, "nothing");
        }),
        ("names step number 5, which does not exist", &|plan| {
            plan.steps[1].inputs[1].1 = input(5, "out");
        }),
        ("has inputs out of order or twice", &|plan| {
            plan.steps[1].inputs.reverse();
        }),
        ("the pipeline's output result names step number 8", &|plan| {
            let missing = StepOutput {
                step: StepIndex(8),
                output: "out".parse().unwrap(),
            };
            plan.outputs.insert("result".parse().unwrap(), missing);
        }),
    ];
    for (rule, break_it) in cases {
        let mut bed = Bed::new();
        let mut plan = sound();
        break_it(&mut plan);
        let (_, command) = bed.submission(plan);
        match bed.try_command(&command) {
            Err(Rejection::UnsoundPlan(why)) => assert!(why.contains(rule), "{why:?} does not say {rule:?}"),
            other => panic!("{rule:?} was not refused as such: {other:?}"),
        }
        assert_eq!(bed.engine.runs_len(), 0);
    }
}

#[test]
fn a_cancelled_run_ends_what_waits_and_waits_for_what_runs() {
    let mut bed = Bed::with_slots(1);
    let draft = Draft::new().step("a", &[]).step("b", &["a"]).step("c", &[]);
    let run = bed.submit(&draft);
    let tasks = bed.tasks();
    bed.claim(&tasks[0]);
    bed.command(&cancel(run));
    bed.settle();
    assert_eq!(
        bed.effects(),
        [stop_of(&tasks[0], StopReason::Cancelled)],
        "what nobody claimed needs no stop"
    );
    assert_eq!(bed.step_status(run, "b"), StepStatus::Cancelled);
    assert_eq!(bed.step_status(run, "c"), StepStatus::Cancelled);
    assert_eq!(bed.status(run), RunStatus::Cancelling);
    bed.report(&tasks[0], stopped()).unwrap();
    assert_eq!(bed.step_status(run, "a"), StepStatus::Cancelled);
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    assert_eq!(bed.try_command(&cancel(run)), Err(Rejection::RunEnded));
    bed.nothing_else();
}

#[test]
fn the_task_of_a_cancelled_step_is_refused_to_whoever_claims_it() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]));
    let task = bed.task();
    bed.command(&cancel(run));
    bed.settle();
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    let rejection = bed.report(&task, ReportBody::Claimed).unwrap_err();
    assert_eq!(rejection.stop(), Some(stop_of(&task, StopReason::Cancelled)));
    bed.nothing_else();
}

#[test]
fn a_claim_that_crosses_the_cancel_is_answered_with_a_stop() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]));
    let task = bed.task();
    bed.command(&cancel(run));
    bed.claim(&task);
    assert_eq!(bed.effects(), [stop_of(&task, StopReason::Cancelled)]);
    assert_eq!(bed.status(run), RunStatus::Cancelling);
}

#[test]
fn a_success_that_crosses_the_cancel_counts() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]));
    let task = bed.task();
    bed.claim(&task);
    bed.command(&cancel(run));
    bed.effects();
    bed.report(&task, success("a")).unwrap();
    assert_eq!(bed.step_status(run, "a"), StepStatus::Succeeded);
    assert_eq!(
        bed.status(run),
        RunStatus::Succeeded,
        "the cancel came too late to end anything"
    );
    bed.nothing_else();
}

#[test]
fn a_silent_worker_does_not_keep_a_cancelled_run_open() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]));
    let task = bed.task();
    bed.claim(&task);
    bed.command(&cancel(run));
    bed.effects();
    bed.command(&Command::ExpireLease {
        attempt: task.attempt,
        token: task.token,
    });
    bed.settle();
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    bed.nothing_else();
}

#[test]
fn finally_steps_outlive_one_cancel_and_not_two() {
    let draft = Draft::new().step("a", &[]).with("tidy", &[], |tidy| {
        tidy.after = vec!["a"];
        tidy.when = When::Always;
    });
    let mut bed = Bed::new();
    let run = bed.submit(&draft);
    bed.tasks();
    bed.command(&cancel(run));
    bed.settle();
    let tidy = bed.task();
    assert_eq!(tidy.path.as_str(), "tidy");
    bed.claim(&tidy);
    bed.command(&cancel(run));
    assert_eq!(bed.effects(), [stop_of(&tidy, StopReason::Cancelled)]);
    assert_eq!(bed.try_command(&cancel(run)), Err(Rejection::AlreadyCancelling));
    bed.report(&tidy, stopped()).unwrap();
    assert_eq!(bed.status(run), RunStatus::Cancelled);
    bed.nothing_else();
}

#[test]
fn a_run_that_stops_at_the_first_failure_aborts_the_rest() {
    let mut draft = Draft::new()
        .step("bad", &[])
        .step("busy", &[])
        .step("later", &["busy"])
        .with("mourn", &[], |step| {
            step.after = vec!["bad"];
            step.when = When::OnFailure;
        });
    draft.on_step_failure = OnStepFailure::Stop;
    let mut bed = Bed::new();
    let run = bed.submit(&draft);
    let tasks = bed.tasks();
    bed.claim(&tasks[1]);
    bed.fail(&tasks[0]);
    let effects = bed.effects();
    assert_eq!(effects[0], stop_of(&tasks[1], StopReason::Aborted));
    let Effect::PublishTask(mourn) = &effects[1] else {
        panic!("{effects:?}")
    };
    assert_eq!(effects.len(), 2);
    assert_eq!(bed.step_status(run, "later"), StepStatus::Aborted);
    bed.report(&tasks[1], stopped()).unwrap();
    assert_eq!(bed.step_status(run, "busy"), StepStatus::Aborted);
    bed.succeed(mourn, "mourn");
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.nothing_else();
}

#[test]
fn a_stop_is_not_forgotten_when_the_coordinator_dies_right_after_the_failure() {
    let mut draft = Draft::new().step("bad", &[]).step("rest", &["bad"]);
    draft.on_step_failure = OnStepFailure::Stop;
    let mut bed = Bed::new();
    let run = bed.submit(&draft);
    let task = bed.task();
    let failure =
        tidemill_protocol::failure::Failure::new(tidemill_protocol::failure::FailureReason::OutOfMemory);
    let body = ReportBody::Failed {
        failure,
        usage: AttemptUsage::default(),
    };
    let report = tidemill_protocol::wire::Report {
        attempt: task.attempt,
        token: task.token,
        at: bed.now,
        body,
    };
    bed.command(&Command::Report {
        worker: worker(1),
        report,
    });
    bed.engine = bed.replayed();
    let facts = bed.settle();
    assert!(matches!(facts[0], Fact::RunStopRequested { .. }), "{facts:?}");
    assert_eq!(bed.status(run), RunStatus::Failed);
}

#[test]
fn a_retried_run_gives_another_chance_to_what_did_not_end_well() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]).step("b", &["a"]).step("c", &["b"]));
    let task = bed.task();
    bed.succeed(&task, "a");
    let first = bed.task();
    assert_eq!(bed.try_command(&retry(run)), Err(Rejection::RunNotEnded));
    bed.fail(&first);
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.command(&retry(run));
    bed.settle();
    assert_eq!(bed.status(run), RunStatus::Running);
    let again = bed.task();
    assert_eq!(
        (again.path.as_str(), again.attempt.attempt),
        ("b", 2),
        "a stays as it is"
    );
    bed.succeed(&again, "b");
    assert_eq!(bed.run_out(), ["c"]);
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    assert_eq!(bed.try_command(&retry(run)), Err(Rejection::NothingToRetry));
    bed.nothing_else();
}

#[test]
fn steps_can_be_added_below_old_and_new_ones_while_a_run_goes_on() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]).step("b", &[]));
    let tasks = bed.tasks();
    bed.succeed(&tasks[0], "a");
    let (templates, steps) = Draft::new()
        .step("c", &["a"])
        .step("d", &["b", "c"])
        .parts(&["a", "b"], 2);
    let add = Command::AddSteps {
        run,
        templates,
        steps,
    };
    bed.command(&add);
    bed.settle();
    assert_eq!(bed.run(run).counts().total, 4);
    let c = bed.task();
    assert_eq!(c.path.as_str(), "c", "the step before it had ended already");
    assert!(
        matches!(bed.try_command(&add), Err(Rejection::UnsoundPlan(_))),
        "the names are taken"
    );
    bed.succeed(&c, "c");
    bed.succeed(&tasks[1], "b");
    assert_eq!(bed.run_out(), ["d"]);
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    assert_eq!(bed.try_command(&add), Err(Rejection::RunEnded));
    bed.nothing_else();
}

#[test]
fn a_run_that_is_being_ended_takes_no_steps() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]));
    let task = bed.task();
    bed.claim(&task);
    bed.command(&cancel(run));
    let (templates, steps) = Draft::new().step("b", &[]).parts(&["a"], 1);
    let add = Command::AddSteps {
        run,
        templates,
        steps,
    };
    assert_eq!(bed.try_command(&add), Err(Rejection::RunEnding));
}

#[test]
fn only_a_terminal_run_is_forgotten_and_then_wholly() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]));
    let task = bed.task();
    let forget = Command::ForgetRun { run };
    assert_eq!(bed.try_command(&forget), Err(Rejection::RunNotEnded));
    bed.succeed(&task, "a");
    bed.command(&forget);
    assert_eq!(bed.engine.runs_len(), 0);
    assert_eq!(bed.try_command(&forget), Err(Rejection::UnknownRun));
    assert_eq!(bed.report(&task, success("late")), Err(Rejection::Stale));
    bed.nothing_else();
}

#[test]
fn runs_are_listed_newest_first_and_by_pipeline() {
    let mut bed = Bed::new();
    let mut other = Draft::new().step("a", &[]);
    let one = bed.submit(&other);
    other.pipeline = "other";
    let two = bed.submit(&other);
    other.pipeline = "pipeline";
    let three = bed.submit(&other);
    let ids = |runs: Vec<&tidemill_engine::Run>| runs.iter().map(|run| run.id()).collect::<Vec<_>>();
    assert_eq!(
        ids(bed.engine.runs_newest_first(None).collect()),
        [three, two, one]
    );
    assert_eq!(
        ids(bed.engine.runs_newest_first(Some(three)).collect()),
        [two, one]
    );
    let pipeline = "pipeline".parse().unwrap();
    assert_eq!(
        ids(bed.engine.runs_of_pipeline(&pipeline, None).collect()),
        [three, one]
    );
    assert_eq!(
        ids(bed.engine.runs_of_pipeline(&pipeline, Some(three)).collect()),
        [one]
    );
}
