"""What a coordinator is given before its API is tried: one thing of each kind, and some that may be taken away again. Each request must be granted."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.request
import zlib
from typing import Any

PIPELINE = """\
type: pipeline
experiment_name: flowers
inputs: {text: done}
jobs:
  train:
    command: >-
      echo ${{inputs.text}} > ${{outputs.file}} && mkdir -p ${{outputs.folder}}/in && echo a > ${{outputs.folder}}/in/a.txt
    inputs: {text: "${{parent.inputs.text}}"}
    outputs: {file: {type: uri_file}, folder: {type: uri_folder}}
"""
# It goes on until it is cancelled.
WAITING = """\
type: pipeline
jobs:
  wait:
    command: sleep 600
"""
FAILING = """\
type: pipeline
jobs:
  fail:
    command: exit 1
"""
COMPONENT = """\
type: command
name: hello
version: "1"
command: echo hello
"""
RUN_DEADLINE_S = 60
TEXT = b"done\n"


class Server:
    """A coordinator, asked with the right to do everything."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, which must be a good one; bytes where it is no JSON."""
        headers = {"authorization": f"Bearer {self.token}"}
        data = None
        if isinstance(body, bytes):
            data, headers["content-type"] = body, "application/octet-stream"
        elif body is not None:
            data, headers["content-type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found, kind = answer.read(), answer.headers.get("content-type", "")
        except urllib.error.HTTPError as refused:
            raise SystemExit(f"{method} {path} was refused: {refused.code} {refused.read().decode()}") from None
        return json.loads(found) if found and kind.startswith("application/json") else found


def load(server: Server, text: str, *, component: bool = False) -> Any:
    """A file as the API takes it."""
    body = {"file": "file.yml", "component": component, "texts": [{"path": "file.yml", "text": text}]}
    return server.ask("POST", "/api/v1/pipelines/load", body)["spec"]


def submit(server: Server, spec: Any) -> str:
    """A new run, which takes over nothing; its id."""
    return str(server.ask("POST", "/api/v1/runs", {"spec": spec, "force_rerun": True})["id"])


def finished(server: Server, run: str, status: str = "succeeded") -> Any:
    """A run that has ended like this."""
    deadline = time.monotonic() + RUN_DEADLINE_S
    while True:
        view = server.ask("GET", f"/api/v1/runs/{run}")
        if view["status"] == status:
            return view
        if view["status"] not in ("queued", "running") or time.monotonic() > deadline:
            raise SystemExit(f"the run of the things has {view['status']}: {json.dumps(view)}")
        time.sleep(0.1)


def make(server: Server) -> dict[str, Any]:
    """Makes everything; the names that were not chosen here."""
    known: dict[str, Any] = {"spec": load(server, PIPELINE), "component": load(server, COMPONENT, component=True)}
    known["run"], known["spare_run"] = submit(server, known["spec"]), submit(server, known["spec"])
    known["waiting"], known["failed"] = submit(server, load(server, WAITING)), submit(server, load(server, FAILING))
    (step,) = finished(server, known["run"])["steps_list"]
    finished(server, known["spare_run"])
    finished(server, known["failed"], "failed")
    for name in ("comment", "spare_comment"):
        known[name] = server.ask("POST", f"/api/v1/runs/{known['run']}/comments", {"text": "look"})["number"]
    known["file"], known["folder"] = step["outputs"]["file"], step["outputs"]["folder"]
    known["sha256"] = hashlib.sha256(TEXT).hexdigest()
    server.ask("PUT", f"/api/v1/contents/{known['sha256']}", TEXT)
    _catalog(server, known)
    _service(server, known)
    _tracking(server, known)
    return known


def _catalog(server: Server, known: dict[str, Any]) -> None:
    files = {"content": {"artifact": known["folder"]}}
    environment = {"name": "py", "image": None, "python": {"version": None, "requirements": []}}
    for kind, name, source in [
        ("data", "iris", files),
        ("data", "spare", files),
        ("model", "forest", files),
        ("component", "hello", {"pipeline": known["component"]}),
        ("environment", "py", {"environment": environment}),
        ("pipeline", "nightly", {"pipeline": known["spec"]}),
    ]:
        body = {"version": "1", "source": source, "labels": ["good"]}
        server.ask("POST", f"/api/v1/assets/{kind}/{name}/versions", body)


def _service(server: Server, known: dict[str, Any]) -> None:
    server.ask("PUT", "/api/v1/secrets/key", b"a value of the tests")
    server.ask("PUT", "/api/v1/secrets/spare", b"another")
    for name in ("hook", "spare"):
        server.ask("PUT", f"/api/v1/webhooks/{name}", {"url": "http://127.0.0.1:9/hook", "secret": "key"})
    for name in ("letter", "spare"):
        server.ask("PUT", f"/api/v1/mailings/{name}", {"to": ["ada@example.org"]})
    for name in ("sketch", "spare"):
        body = {"source": {"pipeline": known["spec"]}, "tags": {"a": "b"}}
        server.ask("PUT", f"/api/v1/drafts/{name}", body)
    for name in ("share", "spare"):
        server.ask("PUT", f"/api/v1/datastores/{name}", {"url": "file:///tmp"})
    trigger = {"cron": {"expression": "0 3 * * *", "time_zone": "W. Europe Standard Time"}}
    started = server.ask("POST", "/api/v1/pipelines/nightly/runs", {"parameters": {"text": "x"}})
    known["job"] = started["id"]
    for name in ("nightly", "spare"):
        server.ask("PUT", f"/api/v1/schedules/{name}", {"trigger": trigger, "pipeline": "nightly"})
    for name in ("orchard", "spare"):
        server.ask("PUT", f"/api/v1/projects/{name}", {"description": "trees"})
        server.ask("PUT", f"/api/v1/teams/{name}", {"people": ["ada"]})
    known["token"] = server.ask("POST", "/api/v1/tokens", {"scope": "reader", "subject": "ada"})["id"]
    known["join_token"] = server.ask("POST", "/api/v1/join-tokens", {})["id"]
    worker = server.ask("GET", "/api/v1/workers")[0]
    known["worker"] = worker["id"]
    known["target"] = worker["targets"][0]["name"]


def _tracking(server: Server, known: dict[str, Any]) -> None:
    def ask(path: str, **body: Any) -> Any:
        return server.ask("POST", f"/api/2.0/mlflow/{path}", body)

    known["experiment"] = ask("experiments/create", name="oaks")["experiment_id"]
    known["spare_experiment"] = ask("experiments/create", name="spare")["experiment_id"]
    for name in ("pines", "larches"):
        server.ask("POST", "/api/v1/experiments", {"name": name})
    run = ask("runs/create", experiment_id=known["experiment"], start_time=1)["run"]["info"]["run_id"]
    known["tracked"] = run
    spare = ask("runs/create", experiment_id=known["experiment"], start_time=1)["run"]["info"]["run_id"]
    known["spare_tracked"] = spare
    ask("runs/log-metric", run_id=run, key="loss", value=0.5, timestamp=1, step=0)
    for kept in ("spare", "kept"):
        ask("runs/set-tag", run_id=run, key=kept, value="x")
        ask("experiments/set-experiment-tag", experiment_id=known["experiment"], key=kept, value="x")
    server.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{known['experiment']}/{run}/artifacts/a.txt", TEXT)
    parts = "/api/2.0/mlflow-artifacts/mpu"
    for name, file in [("upload", "c.txt"), ("whole_upload", "d.txt"), ("spare_upload", "e.txt")]:
        path = f"{parts}/create/{known['experiment']}/{run}/artifacts"
        known[name] = server.ask("POST", path, {"path": file, "num_parts": 1 + (name == "upload")})["upload_id"]
    server.ask("PUT", f"{parts}/part/{known['whole_upload']}/1", TEXT)
    known["part"] = {"part_number": 1, "etag": f'"{len(TEXT)}-{zlib.crc32(TEXT):08x}"'}
    for name in ("logged", "spare_logged"):
        made = ask("logged-models", experiment_id=known["experiment"], name="oak", source_run_id=run)
        known[name] = made["model"]["info"]["model_id"]
    server.ask(
        "PATCH", f"/api/2.0/mlflow/logged-models/{known['logged']}/tags", {"tags": [{"key": "spare", "value": "x"}]}
    )
    for name in ("oak", "spare_oak", "renamed_oak"):
        ask("registered-models/create", name=name)
        ask("registered-models/set-tag", name=name, key="spare", value="x")
    source = f"mlflow-artifacts:/{known['experiment']}/{run}/artifacts"
    for _ in range(2):
        version = ask("model-versions/create", name="oak", source=source, run_id=run)["model_version"]["version"]
        ask("model-versions/set-tag", name="oak", version=version, key="spare", value="x")
    for alias in ("champion", "spare"):
        ask("registered-models/alias", name="oak", alias=alias, version="1")
    known["source"] = source
