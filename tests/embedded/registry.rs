//! The registry of models with the client that people have: versions, aliases, stages and names, and what was measured of a version.

use super::tracking::script;
use testkit::{Sandbox, Up};

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

const STAGES: &str = "
import warnings
warnings.simplefilter('ignore')
import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression
model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
with mlflow.start_run() as run:
    mlflow.log_metric('auc', 0.75, step=3)
    for _ in range(2):
        mlflow.sklearn.log_model(model, name='tree', registered_model_name='churn', pip_requirements=[])
client = MlflowClient()
client.transition_model_version_stage('churn', '1', 'Production')
moved = client.transition_model_version_stage('churn', '2', 'production', archive_existing_versions=True)
assert moved.current_stage == 'Production', moved
assert client.get_model_version('churn', '1').current_stage == 'Archived'
assert [one.version for one in client.get_latest_versions('churn', ['Production'])] == ['2']
assert client.get_latest_versions('churn', ['Staging']) == []
latest = {one.current_stage: one.version for one in client.get_registered_model('churn').latest_versions}
assert latest == {'Production': '2', 'Archived': '1'}, latest
back = mlflow.sklearn.load_model('models:/churn/Production')
assert (back.predict([[0.0], [1.0]]) == [0, 1]).all()
try:
    client.transition_model_version_stage('churn', '1', 'Archived', archive_existing_versions=True)
    raise SystemExit('something was archived for an archived version')
except MlflowException as refused:
    assert refused.error_code == 'INVALID_PARAMETER_VALUE', refused
version = client.get_model_version('churn', '2')
assert client.get_run(version.run_id).data.metrics == {'auc': 0.75}
client.set_registered_model_alias('churn', 'champion', '2')
client.rename_registered_model('churn', 'leavers')
assert client.get_registered_model('churn').name == 'leavers'
for name in ['models:/leavers@champion', 'models:/churn/2', 'models:/leavers/Production']:
    back = mlflow.sklearn.load_model(name)
    assert (back.predict([[0.0], [1.0]]) == [0, 1]).all(), name
assert [one.name for one in client.search_registered_models()] == ['leavers']
try:
    client.create_registered_model('churn')
    raise SystemExit('a name that means another model was given away')
except MlflowException as refused:
    assert refused.error_code == 'RESOURCE_ALREADY_EXISTS', refused
print('ok')
";

#[test]
fn versions_change_stages_and_a_model_its_name_and_what_was_measured_is_found_from_them() {
    let sandbox = Sandbox::new();
    let up = Up::start(&sandbox, "up.log");
    script(up.url(), STAGES);
    let shown: serde_json::Value = up.ok(["model", "show", "churn", "-o", "json"]).json();
    assert_eq!(
        (&shown["name"], &shown["model_stage"]),
        (&"leavers".into(), &"production".into())
    );
    let shown = up.ok(["model", "show", "leavers"]).stdout;
    assert!(shown.contains("metric     auc = 0.75 at 3"), "{shown}");
}
