//! Tracking from end to end with the client that people have: MLflow's, as it comes from the package index. Scripts log to a coordinator, steps log without any
//! configuration, and what they logged is found again.

use std::process::Command;
use testkit::{Authority, END_DEADLINE, Sandbox, Steps, Up, free_ports, mlflow_python};
use tidemill_protocol::status::RunStatus;

/// Runs a program to its good end; answers with what it printed.
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
pub(crate) fn script(url: &str, text: &str) {
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

#[test]
fn what_changed_in_the_code_of_a_step_is_shown_line_by_line() {
    let sandbox = Sandbox::new();
    let pipeline = "type: pipeline\njobs:\n  same:\n    command: sh say.sh\n    code: ./same\n  say:\n    command: sh say.sh\n    code: ./src\n";
    sandbox.write("pipeline.yml", pipeline);
    sandbox.write("same/say.sh", "echo same\n");
    sandbox.write("src/say.sh", "echo one\necho two\n");
    sandbox.write("src/kept.txt", "kept\n");
    let first = sandbox.run("pipeline.yml", &[]).summary.id.to_string();
    sandbox.write("src/say.sh", "echo one\necho three\n");
    sandbox.write("src/new.bin", "\0");
    sandbox.run("pipeline.yml", &[]);
    let compared = sandbox.ok(["runs", "compare", &first, "last", "--code"]).stdout;
    for shown in [
        "code  say/new.bin",
        "code  say/say.sh",
        "-echo two\n+echo three\n",
        "(no text,",
    ] {
        assert!(compared.contains(shown), "{shown:?} in {compared}");
    }
    for hidden in ["kept.txt", "same", "echo one\n-echo one"] {
        assert!(!compared.contains(hidden), "{hidden:?} in {compared}");
    }
    let plain = sandbox.ok(["runs", "compare", &first, "last"]).stdout;
    assert!(
        !plain.contains("echo three"),
        "only when it is asked for: {plain}"
    );
    let compared: serde_json::Value = sandbox
        .ok(["runs", "compare", &first, "last", "--code", "-o", "json"])
        .json();
    let lines = compared["items"][1]["lines"][0].as_str();
    assert!(
        lines.is_some_and(|lines| lines.contains("+echo three")),
        "{compared}"
    );
}

const OLD_MODEL: &str = "
import json, mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.models import Model
from mlflow.exceptions import MlflowException
client = MlflowClient()
with mlflow.start_run() as run:
    pass
id = run.info.run_id
store = client._tracking_client.store
for path in ['first', 'second']:
    model = Model(artifact_path=path, run_id=id, flavors={'sklearn': {'version': '1', 'config': {'secret': 1}}})
    store.record_logged_model(id, model)
noted = json.loads(client.get_run(id).data.tags['mlflow.log-model.history'])
assert [one['artifact_path'] for one in noted] == ['first', 'second'], noted
assert noted[0]['flavors'] == {'sklearn': {'version': '1'}} and noted[0]['run_id'] == id, noted
try:
    store.record_logged_model('0' * 32, model)
    raise SystemExit('a model of no run was noted')
except MlflowException as refused:
    assert refused.error_code == 'RESOURCE_DOES_NOT_EXIST', refused
print('ok')
";

#[test]
fn a_model_of_an_older_client_is_noted_in_the_tag_of_its_run() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), OLD_MODEL);
}

const PARTS: &str = "
import os
os.environ['MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD'] = 'true'
os.environ['MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE'] = '1000'
os.environ['MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE'] = '400000'
import mlflow
from mlflow import MlflowClient
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
sent, send = [], HttpArtifactRepository._upload_part
def spy(**part):
    sent.append(part['credential'].part_number)
    if os.path.basename(part['local_file']) == 'broken.bin' and sent[-1] == 2:
        raise OSError('the line is cut')
    return send(**part)
HttpArtifactRepository._upload_part = staticmethod(spy)
data = os.urandom(1000001)
for name in ['big.bin', 'broken.bin']:
    with open(name, 'wb') as file:
        file.write(data)
with mlflow.start_run() as run:
    mlflow.log_artifact('big.bin', 'models')
    assert sorted(sent) == [1, 2, 3], sent
    mlflow.log_text('small', 'small.txt')
    assert len(sent) == 3, 'a small file goes in one piece'
    try:
        mlflow.log_artifact('broken.bin', 'models')
        raise SystemExit('a file without one of its parts was taken')
    except Exception as failed:
        assert 'the line is cut' in str(failed), failed
listed = [(one.path, one.file_size) for one in MlflowClient().list_artifacts(run.info.run_id, 'models')]
assert listed == [('models/big.bin', 1000001)], listed
back = mlflow.artifacts.download_artifacts(f'runs:/{run.info.run_id}/models/big.bin')
assert open(back, 'rb').read() == data
print('ok')
";

#[test]
fn a_large_file_comes_in_parts_and_one_that_breaks_off_leaves_nothing() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), PARTS);
    let left = std::fs::read_dir(sandbox.state_dir().join("uploads")).unwrap();
    assert_eq!(left.count(), 0, "no part is left");
}

const TRACED: &str = "
import mlflow
from mlflow.exceptions import MlflowException
experiment = mlflow.set_experiment('traced')
@mlflow.trace
def double(number):
    return 2 * number
with mlflow.start_run() as run:
    assert double(4) == 8
    with mlflow.start_span('by hand') as span:
        span.set_inputs({'a': 1})
    mlflow.log_metric('loss', 1)
mlflow.flush_trace_async_logging()
try:
    mlflow.search_traces(locations=[experiment.experiment_id])
    raise SystemExit('there are traces')
except MlflowException as refused:
    assert refused.error_code == 'ENDPOINT_NOT_FOUND', refused
assert mlflow.get_run(run.info.run_id).data.metrics == {'loss': 1.0}
print('ok')
";

#[test]
fn a_traced_script_runs_and_is_told_that_there_are_no_traces_here() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), TRACED);
}

const OVER_TLS: &str = "
import os, mlflow
authority = os.environ['MLFLOW_TRACKING_SERVER_CERT_PATH']
assert os.environ['MLFLOW_TRACKING_URI'].startswith('https://')
assert 'BEGIN CERTIFICATE' in open(authority).read()
with mlflow.start_run():
    mlflow.log_metric('loss', 0.5)
";

#[test]
fn a_step_logs_over_tls_to_a_coordinator_whose_authority_only_the_worker_knows() {
    let (sandbox, authority) = (Sandbox::new(), Authority::new("of this coordinator"));
    authority.write_server(&sandbox, "server.pem", "server.key");
    authority.write(&sandbox, "ca.pem");
    let [port] = free_ports();
    let settings = format!(
        "tls_cert = \"server.pem\"\ntls_key = \"server.key\"\napi_ca = \"ca.pem\"\ntracking_url = \"https://127.0.0.1:{port}\"\n"
    );
    sandbox.write("tidemill.toml", &settings);
    step(&sandbox, "train", OVER_TLS);
    let up = Up::start_at(&sandbox, "up.log", &port.to_string());
    let run = up.submit("pipeline.yml", &[]);
    up.wait_for_run(&run, RunStatus::Succeeded, END_DEADLINE);
    let metrics: serde_json::Value = up.ok(["metrics", "last", "-o", "json"]).json();
    assert_eq!(metrics["items"][0]["key"], "loss", "{metrics}");
}
