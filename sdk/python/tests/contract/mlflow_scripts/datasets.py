"""A data set that a run used is kept once, and its runs are found by it."""

import json

import mlflow
import pandas
from mlflow import MlflowClient

mlflow.set_experiment("inputs")
frame = pandas.DataFrame({"petal": [1.5, 4.5], "kind": ["a", "b"]})
flowers = mlflow.data.from_pandas(frame, source="https://host/flowers.csv", name="flowers")
with mlflow.start_run() as first:
    mlflow.log_input(flowers, context="training", tags={"cleaned": "yes"})
    mlflow.log_input(flowers, context="training", tags={"cleaned": "yes"})
with mlflow.start_run() as second:
    mlflow.log_inputs(
        [flowers, mlflow.data.from_pandas(frame[:1], source="https://host/one.csv", name="one")],
        contexts=["test", "test"],
        tags_list=[{}, {}],
    )


def uses(run):
    return [
        (use.dataset.name, {tag.key: tag.value for tag in use.tags})
        for use in MlflowClient().get_run(run.info.run_id).inputs.dataset_inputs
    ]


assert uses(first) == [("flowers", {"cleaned": "yes", "mlflow.data.context": "training"})], uses(first)
assert sorted(name for name, _ in uses(second)) == ["flowers", "one"], uses(second)
found = MlflowClient().get_run(first.info.run_id).inputs.dataset_inputs[0].dataset
assert (found.digest, found.source_type) == (flowers.digest, "http"), found
assert [column["name"] for column in json.loads(found.schema)["mlflow_colspec"]] == ["petal", "kind"], found.schema
assert json.loads(found.profile)["num_rows"] == 2, found.profile
assert mlflow.data.get_source(found).url == "https://host/flowers.csv"


def runs(wanted):
    return set(mlflow.search_runs(filter_string=wanted).get("run_id", []))


assert runs(f"dataset.name = 'flowers' AND dataset.digest = '{flowers.digest}'") == {
    first.info.run_id,
    second.info.run_id,
}
assert runs("dataset.context = 'training'") == {first.info.run_id}
assert runs("dataset.name = 'nobody'") == set()
print("ok")
