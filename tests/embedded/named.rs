//! What MLflow's client may name: paths of a run's files, and what versions of registered models are made of. The client's basics, models and steps are in `tracking`; what else it logs
//! is tested in `sdk/python/tests/contract`.

use crate::tracking::script;
use testkit::{Sandbox, Up};

/// Runs a script of the client's against a server of its own.
#[track_caller]
fn holds(text: &str) {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), text);
}

const PATHS: &str = "
import os, mlflow, requests
from mlflow import MlflowClient
with mlflow.start_run() as run:
    mlflow.log_text('deep', 'notes/deep/a.txt')
client, id = MlflowClient(), run.info.run_id
for whole in ['', '.', 'notes/.']:
    here = mlflow.artifacts.download_artifacts(run_id=id, artifact_path=whole)
    name = 'notes' if whole != 'notes/.' else 'deep'
    assert os.listdir(here) == [name], (whole, os.listdir(here))
for outside in ['../other', 'notes/../../x']:
    try:
        client.list_artifacts(id, outside)
        raise SystemExit(f'{outside} was listed')
    except requests.HTTPError as refused:
        assert refused.response.json()['error_code'] == 'INVALID_PARAMETER_VALUE', refused
    answer = requests.get(f'{mlflow.get_tracking_uri()}/api/2.0/mlflow/artifacts/list', {'run_id': id, 'path': outside})
    assert (answer.status_code, answer.json()['error_code']) == (400, 'INVALID_PARAMETER_VALUE'), answer.text
print('ok')
";

#[test]
fn a_folders_dot_is_the_folder_and_no_path_leads_out_of_a_run() {
    holds(PATHS);
}

const SOURCES: &str = "
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
client = MlflowClient()
client.create_registered_model('oak')
assert client.create_model_version('oak', 's3://bucket/models/oak').version == '1'
for source in ['/etc', 'file:///etc', 's3://bucket/../other', 'https://host/%2e%2e/other', 'mlflow-artifacts:/../etc', 'nowhere']:
    try:
        client.create_model_version('oak', source)
        raise SystemExit(f'{source} became a version')
    except MlflowException as refused:
        assert refused.error_code == 'INVALID_PARAMETER_VALUE', (source, refused)
assert [one.version for one in client.search_model_versions(\"name = 'oak'\")] == ['1']
client.set_registered_model_alias('oak', 'champion', '1')
copy = client.copy_model_version('models:/oak@champion', 'elm')
assert (copy.name, copy.version, copy.source) == ('elm', '1', 'models:/oak/1'), copy
assert client.get_model_version_download_uri('elm', '1') == 's3://bucket/models/oak'
try:
    client.create_model_version('elm', 'models:/oak/2')
    raise SystemExit('a copy of nothing was made')
except MlflowException as refused:
    assert refused.error_code == 'RESOURCE_DOES_NOT_EXIST', refused
client.create_model_version('oak', 's3://bucket/models/oak2')
def named(order=None):
    return [f'{one.name}:{one.version}' for one in client.search_model_versions(order_by=order)]
assert named() == ['oak:2', 'elm:1', 'oak:1'], 'the newest comes first'
assert named(['version_number ASC']) == ['elm:1', 'oak:1', 'oak:2'], named(['version_number ASC'])
print('ok')
";

#[test]
fn a_version_is_made_of_an_address_or_of_another_version_and_of_no_path_of_one_machine() {
    holds(SOURCES);
}
