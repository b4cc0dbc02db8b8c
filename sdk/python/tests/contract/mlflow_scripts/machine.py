"""The figures of the machine are logged beside a run."""

import time

import mlflow

mlflow.set_system_metrics_sampling_interval(0.1)
mlflow.set_system_metrics_samples_before_logging(1)
deadline = time.monotonic() + 60
with mlflow.start_run(log_system_metrics=True) as run:
    while time.monotonic() < deadline:
        metrics = mlflow.get_run(run.info.run_id).data.metrics
        if "system/cpu_utilization_percentage" in metrics and "system/system_memory_usage_megabytes" in metrics:
            break
    else:
        raise SystemExit(f"only {sorted(metrics)}")
assert all(key.startswith("system/") for key in metrics), metrics
print("ok")
