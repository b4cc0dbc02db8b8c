//! The step's table: who runs, who is skipped, and with what.

use crate::bed::{Bed, artifact};
use crate::draft::Draft;
use tidemill_engine::{Fact, StepState};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::key::InputValue;
use tidemill_protocol::name::PortName;
use tidemill_protocol::plan::{StepKind, When};
use tidemill_protocol::status::{RunStatus, StepStatus};

#[test]
fn a_step_runs_when_the_steps_before_it_succeeded() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new().step("a", &[]).step("b", &["a"]));
    let task = bed.task();
    assert_eq!(task.path.as_str(), "a");
    assert_eq!(bed.step_status(run, "b"), StepStatus::Blocked);
    bed.succeed(&task, "bytes of a");
    let task = bed.task();
    assert_eq!(task.path.as_str(), "b");
    let input = task.inputs.get::<PortName>(&"x0".parse().unwrap());
    assert_eq!(input, Some(&InputValue::Artifact(artifact("bytes of a"))));
    bed.succeed(&task, "bytes of b");
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn an_order_edge_holds_a_step_without_handing_it_anything() {
    let mut bed = Bed::new();
    bed.submit(
        &Draft::new()
            .step("a", &[])
            .with("b", &[], |b| b.after = vec!["a"]),
    );
    let task = bed.task();
    assert_eq!(task.path.as_str(), "a");
    bed.succeed(&task, "a");
    let task = bed.task();
    assert_eq!(
        (task.path.as_str(), task.inputs.len()),
        ("b", 1),
        "the literal alone"
    );
}

#[test]
fn steps_below_a_failed_one_are_skipped_and_others_go_on() {
    let mut bed = Bed::new();
    let run = bed.submit(
        &Draft::new()
            .step("a", &[])
            .step("b", &["a"])
            .step("c", &["b"])
            .step("free", &[]),
    );
    let tasks = bed.tasks();
    bed.fail(&tasks[0]);
    assert_eq!(bed.step_status(run, "b"), StepStatus::Skipped);
    assert_eq!(bed.step_status(run, "c"), StepStatus::Skipped);
    assert_eq!(bed.status(run), RunStatus::Running);
    bed.succeed(&tasks[1], "free");
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.nothing_else();
}

#[test]
fn a_step_is_skipped_at_the_first_bad_end_before_it() {
    let mut bed = Bed::new();
    let run = bed.submit(
        &Draft::new()
            .step("bad", &[])
            .step("slow", &[])
            .step("join", &["bad", "slow"]),
    );
    let tasks = bed.tasks();
    bed.fail(&tasks[0]);
    assert_eq!(bed.step_status(run, "join"), StepStatus::Skipped);
    bed.succeed(&tasks[1], "slow");
    assert_eq!(bed.step_status(run, "join"), StepStatus::Skipped);
    bed.nothing_else();
}

#[test]
fn a_step_for_failures_runs_only_when_something_failed() {
    let draft = Draft::new()
        .step("a", &[])
        .with("mourn", &[], |step| {
            step.after = vec!["a"];
            step.when = When::OnFailure;
        })
        .with("bury", &[], |step| step.after = vec!["mourn"]);
    let mut bed = Bed::new();
    let run = bed.submit(&draft);
    let task = bed.task();
    bed.succeed(&task, "a");
    assert_eq!(bed.step_status(run, "mourn"), StepStatus::Skipped);
    assert_eq!(bed.step_status(run, "bury"), StepStatus::Skipped);
    assert_eq!(
        bed.status(run),
        RunStatus::Succeeded,
        "nothing is wrong when a condition does not hold"
    );
    let cause = bed.index(run, "mourn");
    assert_eq!(
        *bed.step(run, "bury").state(),
        StepState::Skipped {
            cause,
            by_condition: true
        }
    );
    bed.nothing_else();

    let run = bed.submit(&draft.edit("a", |a| a.literal = "2"));
    let task = bed.task();
    bed.fail(&task);
    assert_eq!(bed.run_out(), ["mourn", "bury"]);
    assert_eq!(
        bed.status(run),
        RunStatus::Failed,
        "a step failed, whoever mourns it"
    );
    bed.nothing_else();
}

#[test]
fn a_finally_step_runs_after_a_failure_with_the_inputs_that_exist() {
    let mut bed = Bed::new();
    let draft = Draft::new()
        .step("good", &[])
        .step("bad", &[])
        .with("tidy", &["bad", "good"], |tidy| tidy.when = When::Always);
    let run = bed.submit(&draft);
    let tasks = bed.tasks();
    bed.fail(&tasks[1]);
    assert_eq!(
        bed.step_status(run, "tidy"),
        StepStatus::Blocked,
        "it waits for every end"
    );
    bed.succeed(&tasks[0], "good");
    let task = bed.task();
    let inputs: Vec<&str> = task.inputs.keys().map(PortName::as_str).collect();
    assert_eq!(inputs, ["literal", "x1"]);
    bed.succeed(&task, "tidy");
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.nothing_else();
}

#[test]
fn a_kind_without_an_executor_fails_when_it_is_reached_and_nothing_is_published() {
    let mut bed = Bed::new();
    let run = bed.submit(
        &Draft::new()
            .step("a", &[])
            .with("sweep", &["a"], |sweep| sweep.foreign = true)
            .step("b", &["sweep"]),
    );
    let task = bed.task();
    bed.succeed(&task, "a");
    let sweep = bed.step(run, "sweep");
    assert_eq!(
        sweep.failure().map(|failure| &failure.reason),
        Some(&FailureReason::ExecutorMissing)
    );
    let said = sweep
        .failure()
        .map(|failure| failure.message.as_str())
        .unwrap_or_default();
    assert!(said.ends_with(StepKind::instead_of("sweep")), "{said}");
    assert_eq!(sweep.attempts(), []);
    assert_eq!(bed.step_status(run, "b"), StepStatus::Skipped);
    assert_eq!(bed.status(run), RunStatus::Failed);
    bed.nothing_else();
}

#[test]
fn a_plan_without_steps_succeeds_at_once() {
    let mut bed = Bed::new();
    let run = bed.submit(&Draft::new());
    assert_eq!(bed.status(run), RunStatus::Succeeded);
    bed.nothing_else();
}

#[test]
fn a_chain_of_skips_does_not_recurse() {
    let names: Vec<&'static str> = (0..3_000).map(|n| &*format!("s{n}").leak()).collect();
    let mut draft = Draft::new().step(names[0], &[]);
    for pair in names.windows(2) {
        draft = draft.step(pair[1], &[pair[0]]);
    }
    let (run, command) = {
        let mut bed = Bed::new();
        bed.submission(draft.plan())
    };
    let mut engine = tidemill_engine::Engine::new();
    let fleet = Bed::new().fleet;
    let mut effects = Vec::new();
    let now = tidemill_protocol::time::Timestamp(1);
    for event in engine.decide(now, &command).unwrap() {
        engine.apply(&event, &mut effects);
    }
    let cancel = tidemill_engine::Command::CancelRun {
        run,
        by: "ada".into(),
    };
    for event in engine.decide(now, &cancel).unwrap() {
        engine.apply(&event, &mut effects);
    }
    loop {
        let events = engine.next(now, &fleet, 100);
        assert!(
            events
                .iter()
                .all(|event| !matches!(event.fact, Fact::AttemptDispatched { .. }))
        );
        if events.is_empty() {
            break;
        }
        for event in &events {
            engine.apply(event, &mut effects);
        }
    }
    assert_eq!(
        engine.run(run).map(tidemill_engine::Run::status),
        Some(RunStatus::Cancelled)
    );
}
