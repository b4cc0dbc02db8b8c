//! Published pipelines and schedules through the binary: from a file and from a run, started by hand and by themselves.

use serde_json::Value;
use testkit::{BEGIN_DEADLINE, END_DEADLINE, Sandbox, Up, eventually};
use tidemill_protocol::api::{RunView, ScheduleView, VersionView};
use tidemill_protocol::schedule::FiringOutcome;
use tidemill_protocol::status::RunStatus;

const PIPELINE: &str = "
type: pipeline
inputs:
  trees: {type: integer, default: 10, min: 1, max: 50}
jobs:
  fit:
    command: echo ${{inputs.n}} > ${{outputs.o}}
    inputs: {n: '${{parent.inputs.trees}}'}
    outputs: {o: {type: uri_file}}
";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("train.yml", PIPELINE);
    sandbox
}

#[test]
fn a_pipeline_is_published_without_a_coordinator_and_started_with_one() {
    let sandbox = sandbox();
    let said = sandbox.ok(["publish", "train.yml", "--name", "train", "--label", "default"]);
    assert!(said.stdout.contains("published train:1"), "{said}");
    let shown: VersionView = sandbox.ok(["pipelines", "show", "train", "-o", "json"]).json();
    assert_eq!(shown.parameters()[0].max.as_deref(), Some("50"));
    let nobody = sandbox.tidemill(["pipelines", "start", "train"]).expect_code(8);
    assert!(nobody.stderr.contains("tidemill up"), "{nobody}");
    let up = Up::start(&sandbox, "up.log");
    let run: RunView = up
        .ok([
            "pipelines",
            "start",
            "train",
            "-p",
            "trees=12",
            "--watch",
            "-o",
            "json",
        ])
        .json();
    assert_eq!(run.summary.status, RunStatus::Succeeded);
    assert_eq!(run.summary.tags["tidemill.pipeline"], "train:1");
    let printed = up.ok(["artifacts", "cat", "last/fit/o"]).stdout;
    assert_eq!(printed.trim(), "12");
    let refused = sandbox
        .tidemill(["pipelines", "start", "train", "-p", "trees=51"])
        .expect_code(2);
    assert!(refused.stderr.contains("50"), "{refused}");
    up.ok(["pipelines", "disable", "train", "--version", "1"]);
    drop(sandbox.tidemill(["pipelines", "start", "train"]).expect_code(7));
    drop(sandbox.tidemill(["pipelines", "start", "other"]).expect_code(6));
}

#[test]
fn a_run_that_went_well_is_published_afterwards() {
    let sandbox = sandbox();
    sandbox.run("train.yml", &["-p", "trees=3"]);
    let said = sandbox.ok([
        "publish",
        "--run",
        "last",
        "--name",
        "again",
        "--version",
        "v1",
        "-o",
        "json",
    ]);
    let version: VersionView = said.json();
    assert_eq!(version.version.as_str(), "v1");
    assert!(version.origin.run.is_some());
    assert_eq!(
        version.parameters()[0].default.as_deref(),
        Some("10"),
        "the pipeline's, not the run's"
    );
    let listed: Vec<Value> = sandbox.ok(["pipelines", "list", "-o", "json"]).items();
    assert_eq!(listed[0]["name"], "again");
}

#[test]
fn a_schedule_file_publishes_its_pipeline_and_fires_while_a_coordinator_runs() {
    let sandbox = sandbox();
    let schedule = "
name: often
trigger: {type: recurrence, frequency: minute, interval: 30}
create_job:
  type: pipeline
  job: ./train.yml
  inputs: {trees: 7}
";
    sandbox.write("often.yml", schedule);
    sandbox.ok(["schedule", "create", "often.yml"]);
    let again = sandbox
        .tidemill(["schedule", "create", "often.yml"])
        .expect_code(7);
    assert!(again.stderr.contains("--replace"), "{again}");
    let looked: ScheduleView = sandbox.ok(["schedule", "show", "often", "-o", "json"]).json();
    assert_eq!(looked.last, None, "whoever only looks fires nothing");
    let up = Up::start(&sandbox, "up.log");
    let fired = eventually(BEGIN_DEADLINE, "it fires", || {
        let shown: ScheduleView = up.ok(["schedule", "show", "often", "-o", "json"]).json();
        shown.last
    });
    let FiringOutcome::Started { run } = fired.outcome else {
        panic!("{fired:?}")
    };
    let run = up.wait_for_run(&run.to_string(), RunStatus::Succeeded, END_DEADLINE);
    assert_eq!(run.summary.tags["tidemill.schedule"], "often");
    let moments: Vec<Value> = up
        .ok(["schedule", "next", "often", "-n", "3", "-o", "json"])
        .items();
    assert_eq!(moments.len(), 3);
    up.ok(["schedule", "pause", "often", "--reason", "enough"]);
    let said = up.ok(["schedule", "explain", "often"]).stdout;
    assert!(said.contains("paused") && said.contains("enough"), "{said}");
    up.ok(["schedule", "remove", "often"]);
    assert_eq!(
        up.ok(["schedule", "list", "-o", "json"]).items::<Value>().len(),
        0
    );
}

#[test]
fn what_is_wrong_with_a_schedule_is_said_before_anything_is_published() {
    let sandbox = sandbox();
    let schedule = "trigger: {type: cron, expression: '61 * * * *'}\ncreate_job: ./train.yml\n";
    sandbox.write("bad.yml", schedule);
    let refused = sandbox.tidemill(["schedule", "create", "bad.yml"]).expect_code(2);
    assert!(refused.stderr.contains("cron"), "{refused}");
    let listed: Vec<Value> = sandbox.ok(["pipelines", "list", "-o", "json"]).items();
    assert_eq!(listed.len(), 0);
}
