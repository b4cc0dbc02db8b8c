//! What a failed step means: for itself (retries, time limits, what is kept of it), for the steps after it, and for the run.

use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::{Sandbox, Steps, eventually};
use tidemill_protocol::failure::FailureReason;
use tidemill_protocol::status::{AttemptStatus, RunStatus, StepStatus};

/// The exit code of a run that ended and did not succeed.
const RUN_FAILED: i32 = 5;

fn sandbox(pipeline: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", pipeline);
    sandbox
}

const ONE_FAILS: &str = "
type: pipeline
jobs:
  good:
    command: echo fine > ${{outputs.o}}
    outputs: {o: {type: uri_file}}
  bad:
    command: echo last words >&2; exit 3
    depends_on: [good]
  below:
    command: echo never
    depends_on: [bad]
  beside:
    command: echo here
    depends_on: [good]
";

#[test]
fn a_failed_step_says_why_and_what_follows_it_is_skipped() {
    let sandbox = sandbox(ONE_FAILS);
    let run = sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    assert_eq!(run.summary.status, RunStatus::Failed);
    assert_eq!(run.with(StepStatus::Failed), ["bad"]);
    assert!(!run.step("below").status.is_good());
    let attempt = &run.step("bad").attempts[0];
    let failure = attempt.failure.as_ref().expect("it says why");
    assert_eq!(failure.reason, FailureReason::ExitCode { code: 3 });
    assert!(failure.stderr_tail.contains("last words"), "{failure:?}");
    let logs = sandbox.tidemill(["logs", "last/bad", "--stream", "stderr"]);
    assert!(
        logs.stdout.contains("last words") || logs.stderr.contains("last words"),
        "{logs}"
    );
}

#[test]
fn a_failed_step_is_not_remembered_but_the_good_ones_are() {
    let sandbox = sandbox(ONE_FAILS);
    sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    let again = sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    assert!(again.reused().contains(&"good"));
    assert_eq!(again.with(StepStatus::Failed), ["bad"]);
}

#[test]
fn a_run_that_continues_gives_up_only_what_depends_on_the_failure() {
    let text = format!("{ONE_FAILS}settings:\n  continue_on_step_failure: true\n");
    let run = sandbox(&text).run_to(RUN_FAILED, "pipeline.yml", &[]);
    assert_eq!(run.executed(), ["good", "beside"]);
    assert_eq!(run.with(StepStatus::Failed), ["bad"]);
    assert_eq!(run.with(StepStatus::Skipped), ["below"]);
}

#[test]
fn conditions_decide_what_runs_after_a_failure() {
    let text = "
type: pipeline
settings:
  continue_on_step_failure: true
jobs:
  bad:
    command: exit 1
  rescue:
    command: echo to the rescue
    when: on_failure
    depends_on: [bad]
  finally:
    command: echo in any case
    when: always
    depends_on: [bad]
  normal:
    command: echo never
    depends_on: [bad]
  good:
    command: echo fine
  idle:
    command: echo never
    when: on_failure
    depends_on: [good]
";
    let run = sandbox(text).run_to(RUN_FAILED, "pipeline.yml", &[]);
    assert_eq!(run.executed(), ["rescue", "finally", "good"]);
    assert_eq!(run.with(StepStatus::Skipped), ["normal", "idle"]);
    assert_eq!(run.with(StepStatus::Failed), ["bad"]);
}

#[test]
fn a_finally_step_runs_even_when_the_run_stops_at_the_first_failure() {
    let text = "
type: pipeline
jobs:
  bad:
    command: exit 1
  finally:
    command: echo in any case
    when: always
    depends_on: [bad]
";
    let run = sandbox(text).run_to(RUN_FAILED, "pipeline.yml", &[]);
    assert_eq!(run.executed(), ["finally"]);
}

#[test]
fn a_step_is_tried_again_as_often_as_it_says() {
    let text = "
type: pipeline
jobs:
  third:
    command: echo try $TIDEMILL_ATTEMPT; test $TIDEMILL_ATTEMPT = 3
    retry: {max: 2, backoff: 50ms}
  never:
    command: exit 9
    retry: {max: 1, backoff: 50ms}
settings:
  continue_on_step_failure: true
";
    let run = sandbox(text).run_to(RUN_FAILED, "pipeline.yml", &[]);
    let statuses = |step: &str| {
        run.step(step)
            .attempts
            .iter()
            .map(|a| a.status)
            .collect::<Vec<_>>()
    };
    let (failed, good) = (AttemptStatus::Failed, AttemptStatus::Succeeded);
    assert_eq!(statuses("third"), [failed, failed, good]);
    assert_eq!(statuses("never"), [failed, failed], "one try and one more");
    assert_eq!(run.executed(), ["third"]);
}

#[test]
fn a_step_that_takes_too_long_is_ended_with_all_that_it_started() {
    let text = "
type: pipeline
inputs:
  folder: none
jobs:
  slow:
    command: >-
      (trap '' TERM; echo $BASHPID > ${{inputs.folder}}/child; while :; do sleep 0.1; done) &
      echo $$ > ${{inputs.folder}}/parent; sleep 600
    timeout: 1s
    inputs:
      folder: ${{parent.inputs.folder}}
";
    let sandbox = sandbox(text);
    let folder = format!("folder={}", sandbox.path().display());
    let run = sandbox.run_to(RUN_FAILED, "pipeline.yml", &["-p", &folder]);
    let failure = run.step("slow").attempts[0]
        .failure
        .as_ref()
        .expect("it says why");
    assert_eq!(failure.reason, FailureReason::TimedOut { limit_ms: 1_000 });
    for name in ["parent", "child"] {
        let pid = fs::read_to_string(sandbox.path().join(name)).expect("it had begun");
        let process = Path::new("/proc").join(pid.trim());
        eventually(
            Duration::from_secs(20),
            &format!("the {name} process is gone"),
            || (!process.exists()).then_some(()),
        );
    }
}

#[test]
fn a_missing_output_is_a_failure_that_names_it() {
    let text = "
type: pipeline
jobs:
  forgetful:
    command: echo nothing written
    outputs:
      model: {type: uri_file}
";
    let run = sandbox(text).run_to(RUN_FAILED, "pipeline.yml", &[]);
    let failure = run.step("forgetful").attempts[0]
        .failure
        .as_ref()
        .expect("it says why");
    let expected = FailureReason::OutputMissing {
        output: "model".into(),
    };
    assert_eq!(failure.reason, expected);
}

#[test]
fn a_step_ended_by_a_signal_says_which() {
    let text = "
type: pipeline
jobs:
  ended:
    command: kill -s SEGV $$
";
    let run = sandbox(text).run_to(RUN_FAILED, "pipeline.yml", &[]);
    let failure = run.step("ended").attempts[0]
        .failure
        .as_ref()
        .expect("it says why");
    assert_eq!(failure.reason, FailureReason::Signal { signal: 11 });
}

#[test]
fn a_kind_without_an_executor_fails_plainly_and_the_rest_runs() {
    let text = "
type: pipeline
settings:
  continue_on_step_failure: true
jobs:
  spark:
    type: spark
    code: ./src
    entry: {file: main.py}
    conf: {spark.driver.cores: 1}
    compute: azureml:spark-pool
  good:
    command: echo fine
";
    let sandbox = sandbox(text);
    sandbox.write("src/main.py", "print('hello')\n");
    let run = sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    assert_eq!(run.executed(), ["good"]);
    assert_eq!(run.with(StepStatus::Failed), ["spark"]);
}
