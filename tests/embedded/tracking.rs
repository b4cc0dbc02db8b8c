//! Tracking from end to end with the client that people have: MLflow's, as it comes from the package index. Scripts log to a coordinator, steps log without any
//! configuration, and what they logged is found again.

use std::process::Command;
use testkit::{Sandbox, Steps, Up, mlflow_python};

#[track_caller]
fn done(command: &mut Command) -> String {
    let output = command.output().expect("a program can be started");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Runs a script against a coordinator to its last line.
#[track_caller]
fn script(url: &str, text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(mlflow_python());
    command
        .arg("-c")
        .arg(text)
        .current_dir(folder.path())
        .env("MLFLOW_TRACKING_URI", url)
        .env("MLFLOW_DISABLE_TELEMETRY", "true")
        .env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2");
    let printed = done(&mut command);
    assert_eq!(printed.lines().last(), Some("ok"), "{printed}");
}

const FLUENT: &str = "
import math, mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
mlflow.set_experiment('churn')
with mlflow.start_run(run_name='first') as run:
    mlflow.log_param('depth', 3)
    for step in range(5):
        mlflow.log_metric('loss', 1 / (step + 1), step=step)
    mlflow.log_metric('odd', float('nan'))
    mlflow.log_metrics({'auc': 0.9, 'f1': 0.8}, step=1)
    mlflow.set_tag('owner', 'ada')
    mlflow.log_dict({'a': [1, 2]}, 'notes/notes.json')
    with mlflow.start_run(nested=True, run_name='child') as child:
        mlflow.log_metric('loss', 7)
client = MlflowClient()
found = client.get_run(run.info.run_id)
assert found.info.status == 'FINISHED', found.info
assert found.data.params == {'depth': '3'} and found.data.metrics['loss'] == 0.2, found.data
assert math.isnan(found.data.metrics['odd'])
assert client.get_run(child.info.run_id).data.tags['mlflow.parentRunId'] == run.info.run_id
history = client.get_metric_history(run.info.run_id, 'loss')
assert [point.step for point in history] == [0, 1, 2, 3, 4], history
assert mlflow.artifacts.load_dict(f'{run.info.artifact_uri}/notes/notes.json') == {'a': [1, 2]}
assert [file.path for file in client.list_artifacts(run.info.run_id)] == ['notes']
names = [run.info.run_name for run in client.search_runs(
    [run.info.experiment_id], \"metrics.loss < 1 and params.depth = '3' and tags.owner LIKE 'a%'\", order_by=['metrics.loss ASC'])]
assert names == ['first'], names
try:
    client.log_param(run.info.run_id, 'depth', 4)
    raise SystemExit('a parameter was changed')
except MlflowException as refused:
    assert refused.error_code == 'INVALID_PARAMETER_VALUE', refused
client.rename_experiment(run.info.experiment_id, 'old churn')
client.delete_run(child.info.run_id)
client.restore_run(child.info.run_id)
print('ok')
";

#[test]
fn the_client_of_mlflow_logs_to_a_coordinator_and_finds_it_again() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), FLUENT);
}

const AUTOLOG: &str = "
import mlflow, numpy
from mlflow import MlflowClient
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
mlflow.set_experiment('flowers')
mlflow.sklearn.autolog()
x, y = make_classification(random_state=0)
with mlflow.start_run() as run:
    model = LogisticRegression(C=0.5).fit(x, y)
found = MlflowClient().get_run(run.info.run_id)
assert found.data.params['C'] == '0.5', found.data.params
assert found.data.metrics['training_accuracy_score'] > 0.8, found.data.metrics
logged = MlflowClient().search_logged_models([run.info.experiment_id])
assert [one.source_run_id for one in logged] == [run.info.run_id], logged
back = mlflow.sklearn.load_model(f'models:/{logged[0].model_id}')
assert (back.predict(x) == model.predict(x)).all()
print('ok')
";

#[test]
fn scikit_learn_is_logged_by_itself_and_its_model_comes_back() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), AUTOLOG);
}

const REGISTRY: &str = "
import mlflow, numpy
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
with mlflow.start_run() as run:
    first = mlflow.sklearn.log_model(model, name='tree', registered_model_name='churn', pip_requirements=[])
    mlflow.sklearn.log_model(model, name='tree', registered_model_name='churn', pip_requirements=[])
client = MlflowClient()
versions = client.search_model_versions(\"name = 'churn'\")
assert [version.version for version in versions] == ['2', '1'], versions
assert versions[1].run_id == run.info.run_id and versions[1].status == 'READY', versions[1]
client.set_registered_model_alias('churn', 'champion', '1')
client.set_model_version_tag('churn', '1', 'checked', 'yes')
client.update_model_version('churn', '1', description='the first')
found = client.get_model_version_by_alias('churn', 'champion')
assert (found.version, found.description, found.tags) == ('1', 'the first', {'checked': 'yes'}), found
assert client.get_registered_model('churn').aliases == {'champion': '1'}
assert [one.name for one in client.search_registered_models(\"name LIKE 'chu%'\")] == ['churn']
for name in ['models:/churn/1', 'models:/churn@champion', 'models:/churn/latest', first.model_uri]:
    back = mlflow.sklearn.load_model(name)
    assert (back.predict([[0.0], [1.0]]) == [0, 1]).all(), name
print('ok')
";

#[test]
fn a_model_is_registered_given_an_alias_and_loaded_by_it() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), REGISTRY);
}

/// A step that logs as any script does, with the Python of the tests.
fn step(sandbox: &Sandbox, name: &str, text: &str) {
    sandbox.write("src/train.py", text);
    let python = mlflow_python();
    let pipeline = format!(
        "type: pipeline\nexperiment_name: flowers\njobs:\n  {name}:\n    command: {} train.py && echo done > ${{{{outputs.o}}}}\n    code: ./src\n    outputs: {{o: {{type: uri_file}}}}\n",
        python.display()
    );
    sandbox.write("pipeline.yml", &pipeline);
}

const STEP: &str = "
import os, mlflow
assert os.environ['MLFLOW_TRACKING_TOKEN'].startswith('tma_')
print('the token is', os.environ['MLFLOW_TRACKING_TOKEN'])
own = os.environ['MLFLOW_RUN_ID']
with mlflow.start_run() as run:
    assert run.info.run_id == own
    mlflow.log_param('depth', 3)
    for step in range(3):
        mlflow.log_metric('loss', 0.5 - step / 10, step=step)
    with mlflow.start_run(nested=True):
        mlflow.log_metric('inner', 1)
";

#[test]
fn a_step_logs_without_any_configuration_and_its_token_is_seen_nowhere() {
    let sandbox = Sandbox::new();
    step(&sandbox, "train", STEP);
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.executed(), ["train"]);
    let metrics: serde_json::Value = sandbox.ok(["metrics", "last", "-o", "json"]).json();
    let loss = &metrics["items"][0];
    assert_eq!(
        (&loss["key"], &loss["step"]),
        (&"loss".into(), &"train".into()),
        "{metrics}"
    );
    assert_eq!(
        (&loss["last"]["step"], &loss["points"]),
        (&2.into(), &3.into()),
        "{metrics}"
    );
    let log = sandbox.ok(["logs", "last/train"]).stdout;
    assert!(log.contains("the token is ") && !log.contains("tma_"), "{log}");
    let again = sandbox.run("pipeline.yml", &[]);
    assert_eq!(
        again.reused(),
        ["train"],
        "what a step is told for logging is no part of its key"
    );
    let compared = sandbox
        .ok(["runs", "compare", &run.summary.id.to_string(), "last", "--all"])
        .stdout;
    assert!(
        compared.contains("train/loss") && compared.contains("0.3"),
        "{compared}"
    );
}

#[test]
fn runs_and_attempts_are_found_by_the_client_as_parent_and_nested_runs() {
    let sandbox = Sandbox::new();
    step(&sandbox, "train", STEP);
    let run = sandbox.run("pipeline.yml", &[]);
    let up = Up::start(&sandbox, "up.log");
    let text = format!(
        "
from mlflow import MlflowClient
client = MlflowClient()
experiment = client.get_experiment_by_name('flowers')
runs = {{run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}}
parent = runs['{id}']
attempt = runs['{id}-0-1']
assert parent.info.status == attempt.info.status == 'FINISHED', (parent.info, attempt.info)
assert attempt.data.tags['mlflow.parentRunId'] == parent.info.run_id
assert attempt.data.params == {{'depth': '3'}} and attempt.data.metrics == {{'loss': 0.3}}, attempt.data
inner = [run for run in runs.values() if run.data.tags.get('mlflow.parentRunId') == attempt.info.run_id]
assert [run.data.metrics for run in inner] == [{{'inner': 1.0}}], inner
print('ok')
",
        id = run.summary.id.0.simple()
    );
    script(up.url(), &text);
}

#[test]
fn whoever_sets_the_variables_of_a_step_knows_better() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "pipeline.yml",
        "
type: pipeline
jobs:
  elsewhere:
    command: test -z \"$MLFLOW_RUN_ID$MLFLOW_TRACKING_TOKEN\" && test \"$MLFLOW_TRACKING_URI\" = http://other
    environment_variables: {MLFLOW_TRACKING_URI: http://other}
  named:
    command: test -n \"$MLFLOW_TRACKING_TOKEN\" && test \"$MLFLOW_EXPERIMENT_ID\" = 7
    environment_variables: {MLFLOW_EXPERIMENT_ID: '7'}
",
    );
    let run = sandbox.run("pipeline.yml", &[]);
    assert_eq!(run.executed(), ["elsewhere", "named"]);
}

#[test]
fn the_example_logs_and_its_runs_are_compared() {
    let sandbox = Sandbox::new();
    sandbox.copy_example("track");
    let first = sandbox.run("track/pipeline.yml", &[]);
    sandbox.run("track/pipeline.yml", &["-p", "rate=0.9"]);
    let metrics: serde_json::Value = sandbox.ok(["metrics", "last", "-o", "json"]).json();
    assert_eq!(
        (&metrics["items"][0]["key"], &metrics["items"][0]["points"]),
        (&"error".into(), &20.into()),
        "{metrics}"
    );
    let compared: serde_json::Value = sandbox
        .ok([
            "runs",
            "compare",
            &first.summary.id.to_string(),
            "last",
            "-o",
            "json",
        ])
        .json();
    let rows = compared["items"].as_array().expect("rows");
    let kinds: Vec<&str> = rows.iter().filter_map(|row| row["kind"].as_str()).collect();
    assert_eq!(kinds, ["parameter", "metric", "artifact"], "{compared}");
}
