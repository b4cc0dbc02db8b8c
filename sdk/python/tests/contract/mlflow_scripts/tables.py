"""A table grows with each part, and is read across runs."""

import mlflow
import pandas

mlflow.set_experiment("tables")
runs = []
for score in (1.0, 2.0):
    with mlflow.start_run() as run:
        mlflow.log_table({"text": ["a", "b"], "score": [score, 0.5]}, "deep/scores.json")
        mlflow.log_table(pandas.DataFrame({"text": ["c"], "score": [0.25]}), "deep/scores.json")
    runs.append(run.info.run_id)
table = mlflow.load_table("deep/scores.json", run_ids=runs[:1], extra_columns=["run_id"])
assert table.to_dict("list") == {"text": ["a", "b", "c"], "score": [1.0, 0.5, 0.25], "run_id": [runs[0]] * 3}, table
assert len(mlflow.load_table("deep/scores.json")) == 6
assert mlflow.get_run(runs[0]).data.tags["mlflow.loggedArtifacts"] == '[{"path": "deep/scores.json", "type": "table"}]'
print("ok")
