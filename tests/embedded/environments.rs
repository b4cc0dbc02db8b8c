//! The software around steps, for real: curated environments are built and import what they promise, with pip and with uv; a Python that the worker lacks is
//! named; and what steps of several processes are started with.

use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Sandbox, Steps};
use tidemill_protocol::api::RunView;
use tidemill_protocol::failure::{Failure, FailureReason};

/// The exit code of a run that ended and did not succeed.
const RUN_FAILED: i32 = 5;

/// Runs the sandbox's pipeline with these folders before, or in place of, the search path.
#[track_caller]
fn run(sandbox: &Sandbox, code: i32, path: &str) -> RunView {
    let mut command = sandbox.command(["run", "pipeline.yml", "-o", "json"]);
    command.env("PATH", path);
    sandbox.finish(&mut command).expect_code(code).json()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the steps need the programs that the tests have"
)]
fn system_path() -> String {
    std::env::var("PATH").expect("there is a search path")
}

/// Programs from the Python package index in a virtual environment of this test; answers their folder.
fn tools(sandbox: &Sandbox, packages: &[&str]) -> PathBuf {
    let folder = sandbox.path().join("tools");
    let done = |command: &mut Command| {
        let output = command.output().expect("a program can be started");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    done(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    let pip = ["install", "--quiet", "--disable-pip-version-check"];
    done(Command::new(folder.join("bin/pip")).args(pip).args(packages));
    folder.join("bin")
}

#[track_caller]
fn failure<'r>(run: &'r RunView, step: &str) -> &'r Failure {
    let attempt = run.step(step).attempts.last().expect("it was tried");
    attempt.failure.as_ref().expect("it says why")
}

/// What a step wrote; its stderr is shown on ours.
fn log(sandbox: &Sandbox, step: &str, stream: &str) -> String {
    let shown = sandbox.ok(["logs", &format!("last/{step}"), "--stream", stream]);
    match stream {
        "stderr" => shown.stderr,
        _ => shown.stdout,
    }
}

const CURATED: &str = "
type: pipeline
jobs:
  today:
    environment: azureml:sklearn-1.5@latest
    command: python check.py
    code: ./src
  older:
    environment: azureml://registries/azureml/environments/sklearn-1.1/versions/29
    command: python check.py
    code: ./src
    depends_on: [today]
";

/// Imports what such steps import, and trains something.
const CHECK: &str = "
import matplotlib, mlflow, mlflow.sklearn, numpy, pandas, pyarrow, scipy, sklearn
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
x, y = make_classification(random_state=0)
frame = pandas.DataFrame(x)
for model in LogisticRegression(), GradientBoostingClassifier(n_estimators=3):
    assert model.fit(frame, y).score(frame, y) > 0.8
print(sklearn.__version__.rsplit('.', 1)[0], numpy.__version__.split('.')[0])
";

#[test]
fn curated_environments_of_today_and_of_earlier_days_import_what_they_promise() {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", CURATED);
    sandbox.write("src/check.py", CHECK);
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.executed(), ["today", "older"]);
    assert_eq!(log(&sandbox, "today", "stdout").trim(), "1.5 2");
    assert_eq!(log(&sandbox, "older", "stdout").trim(), "1.1 1");
}

#[test]
fn a_python_that_the_worker_lacks_is_named_beside_the_one_it_has() {
    let sandbox = Sandbox::new();
    let text = "type: pipeline\njobs: {a: {command: python x.py, environment: {python: '>=3.97,<3.98'}}}\n";
    sandbox.write("pipeline.yml", text);
    let run = sandbox.run_to(RUN_FAILED, "pipeline.yml", &[]);
    let failure = failure(&run, "a");
    assert_eq!(failure.reason, FailureReason::EnvironmentFailed);
    let said = "the environment needs Python >=3.97,<3.98, and this worker has Python 3.";
    assert!(failure.message.contains(said), "{}", failure.message);
}

#[test]
fn where_there_is_uv_it_builds_the_environment() {
    let sandbox = Sandbox::new();
    let bin = tools(&sandbox, &["uv"]);
    let text = "
type: pipeline
jobs:
  a:
    environment: {requirements: ['six==1.16.0']}
    command: python -c 'import six, sys; print(six.__version__, sys.prefix != sys.base_prefix)'
  absent:
    environment: {requirements: ['./no-such-package']}
    command: echo never
    depends_on: [a]
";
    sandbox.write("pipeline.yml", text);
    let run = run(
        &sandbox,
        RUN_FAILED,
        &format!("{}:{}", bin.display(), system_path()),
    );
    assert_eq!(run.executed(), ["a"]);
    assert_eq!(log(&sandbox, "a", "stdout").trim(), "1.16.0 True");
    let built = log(&sandbox, "a", "stderr");
    assert!(
        built.contains("/bin/uv venv") && built.contains("/bin/uv pip install"),
        "{built}"
    );
    let failure = failure(&run, "absent");
    assert_eq!(failure.reason, FailureReason::EnvironmentFailed);
    assert!(failure.message.contains("no-such-package"), "{}", failure.message);
}

/// Each process leaves a file under the name that it knows itself by.
const TOGETHER: &str = "
type: pipeline
jobs:
  together:
    command: sh member.sh ${{outputs.seen}}
    code: ./src
    distribution: DISTRIBUTION
    resources: {instance_count: 2}
    outputs: {seen: {type: uri_folder}}
";

fn together(distribution: &str, member: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("pipeline.yml", &TOGETHER.replace("DISTRIBUTION", distribution));
    sandbox.write("src/member.sh", member);
    sandbox
}

/// What the processes left, by name.
fn seen(sandbox: &Sandbox) -> Vec<(String, String)> {
    sandbox.ok(["artifacts", "get", "last/together/seen", "--to", "seen"]);
    let entries = std::fs::read_dir(sandbox.path().join("seen"))
        .expect("it was fetched")
        .flatten();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).expect("a file can be read");
            (entry.file_name().display().to_string(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_ranks_of_an_mpi_step_are_started_by_the_launcher_that_the_worker_has() {
    let distribution = "{type: mpi, process_count_per_instance: 2}";
    let sandbox = together(distribution, "printf %s \"$PMI_SIZE\" > \"$1/rank-$PMI_RANK\"\n");
    let bin = tools(&sandbox, &["mpich"]);
    run(&sandbox, 0, &format!("{}:{}", bin.display(), system_path()));
    let names: Vec<String> = (0..4).map(|rank| format!("rank-{rank}")).collect();
    let expected: Vec<(String, String)> = names.into_iter().map(|name| (name, "4".to_owned())).collect();
    assert_eq!(seen(&sandbox), expected);
}

#[test]
fn an_mpi_step_on_a_worker_without_a_launcher_says_so() {
    let sandbox = together("{type: mpi, process_count_per_instance: 2}", "exit 0\n");
    let bin = sandbox.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder can be made");
    std::os::unix::fs::symlink(Path::new("/bin/sh"), bin.join("sh")).expect("a link can be made");
    let run = run(&sandbox, RUN_FAILED, &bin.display().to_string());
    let failure = failure(&run, "together");
    assert_eq!(failure.reason, FailureReason::StartFailed);
    assert!(
        failure.message.contains("no mpirun in PATH"),
        "{}",
        failure.message
    );
}

#[test]
fn the_tasks_of_a_tensorflow_step_share_one_cluster() {
    let distribution = "{type: tensorflow, worker_count: 2, parameter_server_count: 1}";
    let sandbox = together(distribution, "printf %s \"$TF_CONFIG\" > \"$1/$$\"\n");
    run(&sandbox, 0, &system_path());
    let configs: Vec<serde_json::Value> = seen(&sandbox)
        .iter()
        .map(|(_, text)| serde_json::from_str(text).expect("TF_CONFIG is JSON"))
        .collect();
    let mut tasks: Vec<String> = configs
        .iter()
        .map(|config| {
            format!(
                "{}-{}",
                config["task"]["type"].as_str().expect("a role"),
                config["task"]["index"]
            )
        })
        .collect();
    tasks.sort();
    assert_eq!(tasks, ["ps-0", "worker-0", "worker-1"]);
    assert!(
        configs
            .iter()
            .all(|config| config["cluster"] == configs[0]["cluster"])
    );
    let workers = configs[0]["cluster"]["worker"]
        .as_array()
        .expect("a list of workers");
    assert_eq!(workers.len(), 2);
}
