"""For each operation a request that a coordinator with the things of `things.py` grants: values of its parameters, and its body. What may be done once is done to the spare ones."""

from __future__ import annotations

import json
from typing import Any

MLFLOW = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
PARTS = "/api/2.0/mlflow-artifacts/mpu"
AZURE = "/azureml/v1.0/PipelineRuns"
ASSETS = "/api/v1/assets/{kind}"


def examples(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By `METHOD path`: parameters by their names, and the body under the name `body`."""
    return {**_runs(known), **_contents(known), **_catalog(known), **_service(known), **_tracking(known), **_azure(known)}


def _runs(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    run = {"run": known["run"]}
    step = {**run, "step": "train"}
    submission = {"spec": known["spec"], "parameters": {"text": "more"}, "display_name": "again"}
    text = {"path": "pipeline.yml", "text": "type: pipeline\njobs:\n  a:\n    command: echo a\n"}
    return {
        "POST /api/v1/runs": {"body": submission},
        "GET /api/v1/runs": {"limit": 10, "tags": "made=for tests", "pipeline": "file"},
        "POST /api/v1/plan": {"body": submission},
        "POST /api/v1/pipelines/load": {"body": {"file": "pipeline.yml", "texts": [text]}},
        "GET /api/v1/runs/{run}": run,
        "PATCH /api/v1/runs/{run}": {**run, "body": {"description": "as it was", "tags": {"a": "b"}}},
        "DELETE /api/v1/runs/{run}": {"run": known["spare_run"]},
        "GET /api/v1/runs/{run}/comments": run,
        "POST /api/v1/runs/{run}/comments": {**run, "body": {"text": "well"}},
        "GET /api/v1/runs/{run}/comments/{comment}": {**run, "comment": known["comment"]},
        "PATCH /api/v1/runs/{run}/comments/{comment}": {**run, "comment": known["comment"], "body": {"text": "better"}},
        "DELETE /api/v1/runs/{run}/comments/{comment}": {**run, "comment": known["spare_comment"]},
        "GET /api/v1/runs/{run}/artifacts": run,
        "POST /api/v1/runs/{run}/cancel": {"run": known["waiting"]},
        "POST /api/v1/runs/{run}/retry": {"run": known["failed"]},
        "GET /api/v1/runs/{run}/diff/{other}": {**run, "other": known["run"]},
        "GET /api/v1/runs/{run}/events": run,
        "GET /api/v1/runs/{run}/metrics": {"run": known["tracked"]},
        "GET /api/v1/runs/{run}/metrics/{key}": {"run": known["tracked"], "key": "loss"},
        "GET /api/v1/runs/{run}/steps/{step}": step,
        "GET /api/v1/runs/{run}/steps/{step}/explain": step,
        "GET /api/v1/runs/{run}/steps/{step}/logs": {**step, "follow": False},
        "GET /api/v1/lineage": {"of": "iris", "kind": "data"},
    }


def _contents(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tree = {"digest": known["folder"]["digest"]}
    content = {"path": "a.txt", "sha256": known["sha256"], "size_bytes": 5}
    return {
        "POST /api/v1/artifacts/missing": {"body": {"blobs": [known["file"]["digest"]], "trees": [tree["digest"]]}},
        "POST /api/v1/artifacts/sweep": {"body": {"dry_run": True, "ignore_others": True}},
        "PUT /api/v1/blobs/{digest}": {"digest": known["file"]["digest"], "body": "done\n"},
        "GET /api/v1/blobs/{digest}": {"digest": known["file"]["digest"]},
        "GET /api/v1/trees/{digest}": tree,
        "GET /api/v1/trees/{digest}/archive": {**tree, "format": "zip"},
        "GET /api/v1/trees/{digest}/files": tree,
        "GET /api/v1/trees/{digest}/files/{path}": {**tree, "path": "in/a.txt"},
        "PUT /api/v1/contents/{sha256}": {"sha256": known["sha256"], "body": "done\n"},
        "POST /api/v1/contents/missing": {"body": {"sha256": [known["sha256"]]}},
        "POST /api/v1/contents/artifacts": {"body": {"folder": True, "files": [content], "empty_folders": ["b"]}},
    }


def _catalog(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    iris = {"kind": "data", "name": "iris"}
    source = {"content": {"artifact": known["folder"]}}
    return {
        f"GET {ASSETS}": {"kind": "data"},
        f"GET {ASSETS}/{{name}}": iris,
        f"PATCH {ASSETS}/{{name}}": {**iris, "body": {"description": "flowers", "tags": {"a": "b"}}},
        f"GET {ASSETS}/{{name}}/versions": iris,
        f"POST {ASSETS}/{{name}}/versions": {**iris, "body": {"source": source, "tags": {"a": "b"}}},
        f"GET {ASSETS}/{{name}}/versions/{{version}}": {**iris, "version": "1"},
        f"PATCH {ASSETS}/{{name}}/versions/{{version}}": {**iris, "version": "1", "body": {"stage": "deprecated"}},
        f"DELETE {ASSETS}/{{name}}/versions/{{version}}": {"kind": "data", "name": "spare", "version": "1"},
        f"PUT {ASSETS}/{{name}}/labels/{{label}}": {**iris, "label": "best", "body": {"version": "1"}},
        f"DELETE {ASSETS}/{{name}}/labels/{{label}}": {**iris, "label": "good"},
        "POST /api/v1/pipelines/{name}/runs": {"name": "nightly", "version": "1", "body": {"parameters": {"text": "x"}}},
        "PUT /api/v1/datastores/{name}": {"name": "other", "body": {"url": "s3://lake/raw", "options": {"aws_region": "eu-1"}}},
        "GET /api/v1/datastores/{name}": {"name": "share"},
        "POST /api/v1/datastores/{name}/test": {"name": "share"},
        "DELETE /api/v1/datastores/{name}": {"name": "spare"},
    }


def _service(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    schedule = {"name": "nightly"}
    spec = {"trigger": {"recurrence": {"frequency": "week", "week_days": ["monday"], "hours": [3]}}, "pipeline": "nightly"}
    hook = {"url": "http://127.0.0.1:9/hook", "secret": "key", "runs": ["failed"]}
    letter = {"to": ["ada@example.org"], "runs": ["failed"]}
    draft = {"name": "sketch"}
    worker = {"worker": known["worker"]}
    project = {"name": "orchard"}
    return {
        "GET /api/v1/experiments": {"limit": 10, "prefix": "o"},
        "POST /api/v1/experiments": {"body": {"name": "firs", "description": "trees", "tags": {"a": "b"}}},
        "GET /api/v1/experiments/{name}": {"name": "oaks"},
        "DELETE /api/v1/experiments/{name}": {"name": "pines"},
        "POST /api/v1/experiments/{name}/restore": {"name": "larches"},
        "PATCH /api/v1/experiments/{name}": {"name": "oaks", "body": {"description": "trees", "tags": {"a": "b"}}},
        "GET /api/v1/compute-targets": {"limit": 10},
        "GET /api/v1/compute-targets/{name}": {"name": known["target"]},
        "GET /api/v1/projects/{name}": project,
        "PUT /api/v1/projects/{name}": {"name": "other", "body": {"description": "another"}},
        "DELETE /api/v1/projects/{name}": {"name": "spare"},
        "PUT /api/v1/projects/{name}/quota": {**project, "body": {"queued_runs": 100, "targets": {"cpu": 2}}},
        "PUT /api/v1/projects/{name}/role": {**project, "body": {"person": "ada", "role": "submitter"}},
        "GET /api/v1/teams/{name}": {"name": "spare"},
        "PUT /api/v1/teams/{name}": {"name": "other", "body": {"people": ["bob"]}},
        "DELETE /api/v1/teams/{name}": {"name": "spare"},
        "PUT /api/v1/schedules/{name}": {"name": "weekly", "body": spec},
        "GET /api/v1/schedules/{name}": schedule,
        "DELETE /api/v1/schedules/{name}": {"name": "spare"},
        "GET /api/v1/schedules/{name}/firings": schedule,
        "GET /api/v1/schedules/{name}/next": {**schedule, "count": 3},
        "POST /api/v1/schedules/{name}/pause": {**schedule, "body": {"reason": "a holiday"}},
        "POST /api/v1/schedules/{name}/resume": schedule,
        "GET /api/v1/webhooks/{name}": {"name": "hook"},
        "PUT /api/v1/webhooks/{name}": {"name": "other", "body": hook},
        "DELETE /api/v1/webhooks/{name}": {"name": "spare"},
        "GET /api/v1/webhooks/{name}/deliveries": {"name": "hook"},
        "POST /api/v1/webhooks/{name}/pause": {"name": "hook", "body": {"reason": "a holiday"}},
        "POST /api/v1/webhooks/{name}/resume": {"name": "hook"},
        "GET /api/v1/mailings/{name}": {"name": "letter"},
        "PUT /api/v1/mailings/{name}": {"name": "other", "body": letter},
        "DELETE /api/v1/mailings/{name}": {"name": "spare"},
        "GET /api/v1/mailings/{name}/deliveries": {"name": "letter"},
        "POST /api/v1/mailings/{name}/pause": {"name": "letter", "body": {"reason": "a holiday"}},
        "POST /api/v1/mailings/{name}/resume": {"name": "letter"},
        "GET /api/v1/drafts": {"tag": "a"},
        "GET /api/v1/drafts/{name}": draft,
        "PUT /api/v1/drafts/{name}": {"name": "other", "body": {"source": {"run": {"run": known["run"]}}}},
        "PATCH /api/v1/drafts/{name}": {**draft, "body": {"parameters": {"text": "better"}}},
        "DELETE /api/v1/drafts/{name}": {"name": "spare"},
        "POST /api/v1/drafts/{name}/publish": {**draft, "body": {"labels": ["best"]}},
        "POST /api/v1/drafts/{name}/runs": {**draft, "body": {"parameters": {"text": "x"}}},
        "GET /api/v1/secrets/{name}": {"name": "key"},
        "PUT /api/v1/secrets/{name}": {"name": "other", "body": "a value of the tests"},
        "DELETE /api/v1/secrets/{name}": {"name": "spare"},
        "POST /api/v1/tokens": {"body": {"scope": "reader", "subject": "bob", "expires_in": 60000}},
        "DELETE /api/v1/tokens/{id}": {"id": known["token"]},
        "POST /api/v1/join-tokens": {"body": {"targets": ["cpu"]}},
        "DELETE /api/v1/join-tokens/{id}": {"id": known["join_token"]},
        "POST /api/v1/workers/{worker}/drain": worker,
        "POST /api/v1/workers/{worker}/resume": worker,
        "POST /api/v1/workers/{worker}/preempt": worker,
        "POST /api/v1/workers/{worker}/quarantine": {**worker, "body": {"reason": "a test"}},
        "POST /api/v1/workers/{worker}/release": worker,
        "GET /api/docs/{file}": {"file": "swagger-ui.css"},
        "GET /api/v1/audit": {"limit": 10},
    }


def _tracking(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    experiment = {"experiment_id": known["experiment"]}
    run, spare = {"run_id": known["tracked"]}, {"run_id": known["spare_tracked"]}
    file = f"{known['experiment']}/{known['tracked']}/artifacts"
    described = {"artifact_path": "model", "utc_time_created": "2026-11-30 12:00:00", "flavors": {}}
    metric = {"key": "loss", "value": 0.25, "timestamp": 2, "step": 1}
    bodies: dict[str, dict[str, Any]] = {
        "POST experiments/create": {"name": "elms"},
        "POST experiments/delete": {"experiment_id": known["spare_experiment"]},
        "POST experiments/delete-experiment-tag": {**experiment, "key": "spare"},
        "POST experiments/restore": {"experiment_id": known["spare_experiment"]},
        "POST experiments/search": {"max_results": 10, "filter": "name LIKE 'o%'"},
        "POST experiments/set-experiment-tag": {**experiment, "key": "a", "value": "b"},
        "POST experiments/update": {**experiment, "new_name": "oaks"},
        "POST logged-models": {**experiment, "name": "oak", "source_run_id": known["tracked"]},
        "POST logged-models/search": {"experiment_ids": [known["experiment"]]},
        "POST runs/create": {**experiment, "start_time": 1, "tags": [{"key": "a", "value": "b"}]},
        "POST runs/delete": spare,
        "POST runs/delete-tag": {**run, "key": "spare"},
        "POST runs/log-batch": {**run, "metrics": [metric], "params": [{"key": "depth", "value": "3"}]},
        "POST runs/log-inputs": {**run, "datasets": []},
        "POST runs/log-metric": {**run, **metric},
        "POST runs/log-model": {**run, "model_json": json.dumps({**run, **described})},
        "POST runs/log-parameter": {**run, "key": "width", "value": "2"},
        "POST runs/outputs": {**run, "models": [{"model_id": known["logged"], "step": 0}]},
        "POST runs/restore": spare,
        "POST runs/search": {"experiment_ids": [known["experiment"]], "filter": "metrics.loss < 1"},
        "POST runs/set-tag": {**run, "key": "a", "value": "b"},
        "POST runs/update": {**run, "status": "FINISHED", "end_time": 3},
        **_registry(known),
    }
    asked: dict[str, dict[str, Any]] = {
        "GET experiments/get": experiment,
        "GET experiments/get-by-name": {"experiment_name": "oaks"},
        "GET artifacts/list": run,
        "GET runs/get": run,
        "GET metrics/get-history": {**run, "metric_key": "loss"},
        "GET metrics/get-history-bulk-interval": {"run_ids": [known["tracked"]], "metric_key": "loss"},
        "GET logged-models/{model_id}": {"model_id": known["logged"]},
        "PATCH logged-models/{model_id}": {
            "model_id": known["logged"],
            "body": {"model_id": known["logged"], "status": "LOGGED_MODEL_READY"},
        },
        "DELETE logged-models/{model_id}": {"model_id": known["spare_logged"]},
        "GET logged-models/{model_id}/artifacts/directories": {"model_id": known["logged"]},
        "POST logged-models/{model_id}/params": {
            "model_id": known["logged"],
            "body": {"params": [{"key": "a", "value": "b"}]},
        },
        "PATCH logged-models/{model_id}/tags": {
            "model_id": known["logged"],
            "body": {"tags": [{"key": "a", "value": "b"}]},
        },
        "DELETE logged-models/{model_id}/tags/{key}": {"model_id": known["logged"], "key": "spare"},
        "GET model-versions/get": {"name": "oak", "version": "1"},
        "GET model-versions/get-download-uri": {"name": "oak", "version": "1"},
        "GET registered-models/alias": {"name": "oak", "alias": "champion"},
        "GET registered-models/get": {"name": "oak"},
        "GET registered-models/get-latest-versions": {"name": "oak"},
    }
    asked |= {place: {"body": body} for place, body in bodies.items()}
    files = {
        f"GET {ARTIFACTS}": {"path": file},
        f"GET {ARTIFACTS}/{{path}}": {"path": f"{file}/a.txt"},
        f"PUT {ARTIFACTS}/{{path}}": {"path": f"{file}/b.txt", "body": "b"},
        f"DELETE {ARTIFACTS}/{{path}}": {"path": f"{file}/b.txt"},
        f"POST {PARTS}/create/{{path}}": {"path": file, "body": {"path": "c.txt", "num_parts": 2}},
        f"PUT {PARTS}/part/{{upload}}/{{number}}": {"upload": known["upload"], "number": 2, "body": "b"},
        f"POST {PARTS}/complete/{{path}}": {
            "path": file,
            "body": {"path": "d.txt", "upload_id": known["whole_upload"], "parts": [known["part"]]},
        },
        f"POST {PARTS}/abort/{{path}}": {"path": file, "body": {"path": "e.txt", "upload_id": known["spare_upload"]}},
    }
    return {place.replace(" ", f" {MLFLOW}/", 1): asked for place, asked in asked.items()} | files


def _registry(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    version = {"name": "oak", "version": "1"}
    return {
        "POST model-versions/create": {"name": "oak", "source": known["source"], "run_id": known["tracked"]},
        "DELETE model-versions/delete": {"name": "oak", "version": "2"},
        "DELETE model-versions/delete-tag": {**version, "key": "spare"},
        "POST model-versions/set-tag": {**version, "key": "a", "value": "b"},
        "POST model-versions/transition-stage": {**version, "stage": "Production", "archive_existing_versions": True},
        "PATCH model-versions/update": {**version, "description": "the first"},
        "POST registered-models/alias": {**version, "alias": "best"},
        "DELETE registered-models/alias": {"name": "oak", "alias": "spare"},
        "POST registered-models/create": {"name": "elm"},
        "DELETE registered-models/delete": {"name": "spare_oak"},
        "DELETE registered-models/delete-tag": {"name": "oak", "key": "spare"},
        "POST registered-models/get-latest-versions": {"name": "oak"},
        "POST registered-models/rename": {"name": "renamed_oak", "new_name": "ash"},
        "POST registered-models/set-tag": {"name": "oak", "key": "a", "value": "b"},
        "PATCH registered-models/update": {"name": "oak", "description": "a tree"},
    }


def _azure(known: dict[str, Any]) -> dict[str, dict[str, Any]]:
    submission = {"body": {"ExperimentName": "flowers", "ParameterAssignments": {"text": "x"}}}
    return {
        "POST /azureml/endpoints/{name}/jobs": {"name": "nightly", "body": {"properties": {"ExperimentName": "flowers"}}},
        "GET /azureml/endpoints/{name}/jobs/{run}": {"name": "nightly", "run": known["job"]},
        f"POST {AZURE}/PipelineEndpointSubmit/Id/{{id}}": {"id": "nightly", **submission},
        f"POST {AZURE}/PipelineEndpointSubmit/Id/{{id}}/{{version}}": {"id": "nightly", "version": "1", **submission},
        f"POST {AZURE}/PipelineEndpointSubmit/Name": {"name": "nightly", **submission},
        f"GET {AZURE}/{{id}}": {"id": known["run"]},
        f"POST {AZURE}/PipelineSubmit/{{id}}": {"id": "nightly:1", **submission},
    }
