//! `tidemill runs retry`: a run that ended badly goes on where it stopped. What ended well is not executed again, within the run and across runs.

use std::fs;
use testkit::{END_DEADLINE, Sandbox, Steps, Up};
use tidemill_protocol::api::RunSummary;
use tidemill_protocol::status::{RunStatus, StepStatus};

/// The exit code of a command that a state forbids.
const CONFLICT: i32 = 7;
/// The exit code of a command that needs a coordinator and finds none.
const UNREACHABLE: i32 = 8;
/// The exit code of a run that ended and did not succeed.
const RUN_FAILED: i32 = 5;

/// Each step writes its name into the diary when it is executed; `bad` fails as long as there is no cure.
const PIPELINE: &str = "
type: pipeline
inputs:
  folder: none
jobs:
  good:
    command: echo good >> ${{inputs.folder}}/diary; echo fine > ${{outputs.o}}
    inputs: {folder: '${{parent.inputs.folder}}'}
    outputs: {o: {type: uri_file}}
  bad:
    command: echo bad >> ${{inputs.folder}}/diary; cat ${{inputs.i}} ${{inputs.folder}}/cure > ${{outputs.o}}
    inputs: {folder: '${{parent.inputs.folder}}', i: '${{parent.jobs.good.outputs.o}}'}
    outputs: {o: {type: uri_file}}
  below:
    command: echo below >> ${{inputs.folder}}/diary; cp ${{inputs.i}} ${{outputs.o}}
    inputs: {folder: '${{parent.inputs.folder}}', i: '${{parent.jobs.bad.outputs.o}}'}
    outputs: {o: {type: uri_file}}
  beside:
    command: echo beside >> ${{inputs.folder}}/diary
    depends_on: [good]
    inputs: {folder: '${{parent.inputs.folder}}'}
settings:
  continue_on_step_failure: true
";

fn sandbox() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", PIPELINE);
    let folder = format!("folder={}", sandbox.path().display());
    (sandbox, folder)
}

/// The names of the steps that were executed, in alphabetical order, and a new page for the next ones.
fn read_diary(sandbox: &Sandbox) -> Vec<String> {
    let path = sandbox.path().join("diary");
    let text = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, "").expect("a file can be written");
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn only_what_failed_or_never_ran_is_executed_again() {
    let (sandbox, folder) = sandbox();
    let up = Up::start(&sandbox, "up.log");
    let id = up.submit("pipeline.yml", &["-p", &folder]);
    let first = up.wait_for_run(&id, RunStatus::Failed, END_DEADLINE);
    assert_eq!(read_diary(&sandbox), ["bad", "beside", "good"]);
    assert_eq!(first.with(StepStatus::Skipped), ["below"]);

    sandbox.write("cure", "cured\n");
    let answer: RunSummary = up.ok(["runs", "retry", &id, "-o", "json"]).json();
    assert_eq!(answer.id.to_string(), id, "it is the same run that goes on");
    let run = up.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(read_diary(&sandbox), ["bad", "below"]);
    assert_eq!(run.with(StepStatus::Succeeded).len(), 4);
    assert_eq!(run.step("good").attempts, first.step("good").attempts);
    assert_eq!(run.step("bad").attempts.len(), 2, "the failure is not forgotten");
    let result = up.ok(["artifacts", "cat", &format!("{id}/below/o")]);
    assert_eq!(result.stdout, "fine\ncured\n", "what had succeeded was used");

    let again = up.submit("pipeline.yml", &["-p", &folder]);
    let again = up.wait_for_run(&again, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(again.reused().len(), 4, "a result of a retry is a result");
    assert_eq!(read_diary(&sandbox), [""; 0]);
}

#[test]
fn a_retry_that_fails_can_be_tried_again() {
    let (sandbox, folder) = sandbox();
    let up = Up::start(&sandbox, "up.log");
    let id = up.submit("pipeline.yml", &["-p", &folder]);
    up.wait_for_run(&id, RunStatus::Failed, END_DEADLINE);
    read_diary(&sandbox);

    up.ok(["runs", "retry", &id]);
    let watched = sandbox.tidemill(["runs", "watch", &id]);
    let watched = watched.expect_code(RUN_FAILED);
    assert_eq!(read_diary(&sandbox), ["bad"], "it failed again: {watched}");
    assert_eq!(up.run(&id).summary.status, RunStatus::Failed);

    sandbox.write("cure", "");
    up.ok(["runs", "retry", &id]);
    up.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(read_diary(&sandbox), ["bad", "below"]);
}

#[test]
fn watching_a_retried_run_does_not_stop_at_its_earlier_end() {
    let (sandbox, folder) = sandbox();
    let up = Up::start(&sandbox, "up.log");
    let id = up.submit("pipeline.yml", &["-p", &folder]);
    up.wait_for_run(&id, RunStatus::Failed, END_DEADLINE);
    sandbox.write("cure", "");
    up.ok(["runs", "retry", &id]);
    let watched = up.ok(["runs", "watch", &id, "-o", "jsonl"]);
    let last_event = watched
        .stdout
        .lines()
        .filter(|line| line.contains("run_finished"));
    assert_eq!(last_event.count(), 2, "both ends were seen: {watched}");
    assert_eq!(up.run(&id).summary.status, RunStatus::Succeeded);
    let logs = up.ok(["logs", "-f", &id]);
    assert!(
        logs.stderr.contains("below"),
        "the log goes beyond the first end: {logs}"
    );
}

#[test]
fn a_cancelled_run_goes_on_and_a_good_one_has_nothing_to_retry() {
    let sandbox = Sandbox::new();
    let gate = testkit::Gate::new(&sandbox, "gate");
    let up = Up::start(&sandbox, "up.log");
    let id = up.submit("gate.yml", &["-p", &gate.parameter()]);
    gate.wait_for_arrivals(1, testkit::BEGIN_DEADLINE);
    let early = sandbox.tidemill(["runs", "retry", &id]).expect_code(CONFLICT);
    assert!(early.stderr.contains("has not ended"), "{early}");

    up.ok(["runs", "cancel", &id]);
    up.wait_for_run(&id, RunStatus::Cancelled, END_DEADLINE);
    gate.open();
    up.ok(["runs", "retry", &id]);
    let run = up.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.executed(), ["hold", "after"]);

    let late = sandbox.tidemill(["runs", "retry", &id]).expect_code(CONFLICT);
    assert!(late.stderr.contains("error"), "{late}");
    assert_eq!(up.run(&id).step("hold").attempts, run.step("hold").attempts);
}

#[test]
fn a_retry_noted_while_nobody_works_is_carried_out_by_the_next_who_does() {
    let (sandbox, folder) = sandbox();
    let failed = sandbox.run_to(RUN_FAILED, "pipeline.yml", &["-p", &folder]);
    let id = failed.summary.id.to_string();
    read_diary(&sandbox);
    sandbox.write("cure", "");
    let noted = sandbox.ok(["runs", "retry", &id]);
    assert!(
        noted.stderr.contains("tidemill up"),
        "it says who carries it out: {noted}"
    );
    assert_eq!(read_diary(&sandbox), [""; 0]);

    let watched = sandbox.tidemill(["runs", "watch", &id]).expect_code(UNREACHABLE);
    assert!(
        watched.stderr.contains("tidemill up"),
        "nobody works, so nothing would come: {watched}"
    );
    let followed = sandbox.tidemill(["logs", "-f", &id]).expect_code(UNREACHABLE);
    assert!(followed.stderr.contains("tidemill up"), "{followed}");

    let up = Up::start(&sandbox, "up.log");
    up.wait_for_run(&id, RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(read_diary(&sandbox), ["bad", "below"]);
}
