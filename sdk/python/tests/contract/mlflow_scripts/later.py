"""What is logged later arrives once, and a refusal is told to who waits."""

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()
mlflow.set_experiment("later")
with mlflow.start_run() as run:
    waits = [mlflow.log_metric("loss", 1 / (step + 1), step=step, synchronous=False) for step in range(500)]
    waits.append(mlflow.log_params({"depth": 3, "rate": 0.1}, synchronous=False))
    waits.append(mlflow.set_tag("owner", "ada", synchronous=False))
    for one in waits:
        one.wait()
steps = [point.step for point in client.get_metric_history(run.info.run_id, "loss")]
assert sorted(steps) == list(range(500)), "each point is there, and once"
found = client.get_run(run.info.run_id).data
assert found.params == {"depth": "3", "rate": "0.1"} and found.tags["owner"] == "ada", found
mlflow.config.enable_async_logging()
with mlflow.start_run() as run:
    for step in range(200):
        mlflow.log_metric("loss", step, step=step)
    mlflow.log_param("depth", 4)
    mlflow.log_text("said later", "notes.txt")
    mlflow.flush_artifact_async_logging()
mlflow.flush_async_logging()
assert len(client.get_metric_history(run.info.run_id, "loss")) == 200
assert client.get_run(run.info.run_id).data.params == {"depth": "4"}
assert client.get_run(run.info.run_id).info.status == "FINISHED"
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes.txt") == "said later"
mlflow.config.enable_async_logging(False)
with mlflow.start_run() as run:
    mlflow.log_param("depth", 4)
    refused = mlflow.log_param("depth", 5, synchronous=False)
    try:
        refused.wait()
        raise SystemExit("a parameter was changed")
    except MlflowException as why:
        assert "depth" in str(why), why
print("ok")
