//! Published pipelines and schedules through the binary: from a file and from a run, started by hand and by themselves.

use serde_json::Value;
use testkit::{BEGIN_DEADLINE, END_DEADLINE, S3Server, Sandbox, Up, eventually};
use tidemill_protocol::api::{DraftView, RunView, ScheduleView, VersionView};
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

#[test]
fn a_draft_is_kept_changed_submitted_and_published() {
    let sandbox = sandbox();
    sandbox.ok([
        "drafts",
        "create",
        "tuning",
        "train.yml",
        "-p",
        "trees=12",
        "--tag",
        "team=a",
    ]);
    let again = sandbox
        .tidemill(["drafts", "create", "tuning", "train.yml"])
        .expect_code(7);
    assert!(again.stderr.contains("--replace"), "{again}");
    sandbox.ok(["drafts", "edit", "tuning", "-p", "trees=14", "--untag", "team"]);
    let shown = sandbox.ok(["drafts", "show", "tuning"]).stdout;
    assert!(shown.contains("trees = 14") && !shown.contains("team"), "{shown}");
    let listed: Vec<DraftView> = sandbox.ok(["drafts", "list", "-o", "json"]).items();
    assert_eq!((listed.len(), listed[0].revision), (1, 2));
    let up = Up::start(&sandbox, "up.log");
    let run: RunView = up
        .ok(["drafts", "submit", "tuning", "--watch", "-o", "json"])
        .json();
    assert_eq!(run.summary.tags["tidemill.draft"], "tuning");
    assert_eq!(up.ok(["artifacts", "cat", "last/fit/o"]).stdout.trim(), "14");
    up.ok([
        "drafts", "publish", "tuning", "--as", "train", "--label", "default",
    ]);
    up.ok(["pipelines", "start", "train", "--wait"]);
    assert_eq!(up.ok(["artifacts", "cat", "last/fit/o"]).stdout.trim(), "14");
    up.ok(["drafts", "remove", "tuning"]);
    drop(sandbox.tidemill(["drafts", "show", "tuning"]).expect_code(6));
}

#[test]
fn data_of_the_catalog_is_given_to_a_pipeline_by_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write("iris.csv", "a");
    sandbox.write("other.csv", "b");
    let text = "type: pipeline\nsettings: {default_compute: local}\ninputs: {rows: {type: uri_file}}\njobs:\n  a: {command: 'cat ${{inputs.r}}', inputs: {r: '${{parent.inputs.rows}}'}}\n";
    sandbox.write("read.yml", text);
    sandbox.ok(["data", "add", "iris", "iris.csv"]);
    let run = sandbox.run("read.yml", &["-p", "rows=azureml:iris@latest"]);
    assert_eq!(sandbox.ok(["logs", "last/a"]).stdout.trim(), "a");
    let used = &run.assets[0];
    assert_eq!((used.name.as_str(), used.version.as_str()), ("iris", "1"));
    sandbox.run("read.yml", &["-p", "rows=other.csv"]);
    assert_eq!(
        sandbox.ok(["logs", "last/a"]).stdout.trim(),
        "b",
        "a path is local data"
    );
    let refused = sandbox
        .tidemill(["run", "read.yml", "-p", "rows=azureml:rose"])
        .expect_code(2);
    assert!(refused.stderr.contains("there is no data `rose`"), "{refused}");
}

const CHANGED: &str = "
name: fresh
trigger: {type: files_changed, path: 'azureml://datastores/lake/paths/in', every: 1s}
create_job:
  job: ./read.yml
  inputs: {rows: '${{trigger.path}}', files: '${{trigger.files}}'}
";
const READ: &str = "
type: pipeline
settings: {default_compute: local}
inputs:
  rows: {type: uri_folder}
  files: {type: string}
jobs:
  read:
    command: (echo ${{inputs.files}} && cd ${{inputs.rows}} && cat deep/b.txt) > ${{outputs.o}}
    inputs: {rows: '${{parent.inputs.rows}}', files: '${{parent.inputs.files}}'}
    outputs: {o: {type: uri_file}}
";
const SEND: &str = "
type: pipeline
settings: {default_compute: local}
jobs:
  make:
    command: mkdir -p ${{outputs.o}}/deep && printf one > ${{outputs.o}}/a.txt && printf two > ${{outputs.o}}/deep/b.txt
    outputs: {o: {type: uri_folder}}
  send: {type: copy, inputs: {source: '${{parent.jobs.make.outputs.o}}'}, destination: 'azureml://datastores/lake/paths/in'}
";

#[test]
fn files_that_arrive_in_a_bucket_start_one_run_which_is_told_of_them() {
    let (server, sandbox) = (S3Server::start(), Sandbox::new());
    for (name, text) in [("fresh.yml", CHANGED), ("read.yml", READ), ("send.yml", SEND)] {
        sandbox.write(name, text);
    }
    let mut set = sandbox.command(["secret", "set", "lake-key"]);
    drop(sandbox.finish_with_input(&mut set, b"any-key").expect_code(0));
    sandbox.write("tidemill.toml", "datastore_allow = [\"127.0.0.1\"]\n");
    let endpoint = format!("aws_endpoint={}", server.endpoint());
    let options = [
        "aws_allow_http=true",
        "aws_access_key_id=any",
        "aws_region=us-east-1",
    ];
    let options = options.iter().flat_map(|option| ["--option", *option]);
    let named = [
        "datastore",
        "add",
        "lake",
        "s3://tidemill/lake",
        "--option",
        &endpoint,
    ];
    let secret = ["--secret", "aws_secret_access_key=lake-key"];
    sandbox.ok(named.into_iter().chain(options).chain(secret));
    let up = Up::start(&sandbox, "up.log");
    let made = up.ok(["schedule", "create", "fresh.yml"]).stdout;
    assert!(made.contains("changes of files in lake/in"), "{made}");
    let shown = || -> ScheduleView { up.ok(["schedule", "show", "fresh", "-o", "json"]).json() };
    let is_base = || shown().looked.filter(|look| look.problem.is_none());
    drop(eventually(BEGIN_DEADLINE, "the first look is made", is_base));
    assert_eq!(shown().last, None, "the first look is the base");
    // A look while they are copied would be told of the first alone, so nobody looks meanwhile.
    up.stop();
    sandbox.ok(["run", "send.yml"]);
    let up = Up::start(&sandbox, "again.log");
    let shown = || -> ScheduleView { up.ok(["schedule", "show", "fresh", "-o", "json"]).json() };
    let fired = eventually(BEGIN_DEADLINE, "it fires", || shown().last);
    let FiringOutcome::Started { run } = fired.outcome else {
        panic!("{fired:?}")
    };
    up.wait_for_run(&run.to_string(), RunStatus::Succeeded, END_DEADLINE);
    let printed = up.ok(["artifacts", "cat", &format!("{run}/read/o")]).stdout;
    assert!(
        printed.starts_with("[\"a.txt\",\"deep/b.txt\"]") && printed.ends_with("two"),
        "{printed}"
    );
    let said = up.ok(["schedule", "explain", "fresh"]).stdout;
    assert!(said.contains("looked at its files"), "{said}");
    let firings: Vec<Value> = up.ok(["schedule", "list", "-o", "json"]).items();
    assert_eq!(firings.len(), 1);
}
