from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import tidemill
from tidemill import current, step


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    values = {
        "RUN_ID": "r1", "STEP": "a.b", "ATTEMPT": "2", "PIPELINE": "p", "EXPERIMENT": "e", "IDEMPOTENCY_KEY": "r1/a.b", "WORK_DIR": str(tmp_path),
        "INPUT_rows": "/in/rows.csv", "INPUT_n": "7", "INPUT_rate": "1e-3", "INPUT_flag": "False", "OUTPUT_model": "/out/model",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv("TIDEMILL_" + name, value)
    return tmp_path


def test_a_step_knows_itself(inside: Path) -> None:
    assert current.is_inside()
    assert (current.run_id(), current.step(), current.attempt(), current.pipeline()) == ("r1", "a.b", 2, "p")
    assert (current.experiment(), current.idempotency_key(), current.work_dir()) == ("e", "r1/a.b", inside)
    assert current.input("rows") == Path("/in/rows.csv")
    assert current.outputs() == {"model": Path("/out/model")}
    assert current.params() == {"rows": "/in/rows.csv", "n": 7, "rate": 0.001, "flag": False}
    assert current.checkpoint() is None
    with pytest.raises(RuntimeError, match="it has flag, n, rate, rows"):
        current.input("row")


def test_the_decorator_knows_the_same_under_its_own_name(inside: Path) -> None:
    assert step.inputs()["n"] == "7"
    assert step.input("rows") == Path("/in/rows.csv")
    assert (step.outputs(), step.output("model")) == ({"model": Path("/out/model")}, Path("/out/model"))
    assert step.params()["rate"] == 0.001
    assert (step.checkpoint(), step.run_id(), step.attempt()) == (None, "r1", 2)
    for name in current.__all__:
        assert getattr(step, name) is getattr(current, name)
    assert {"inputs", "outputs", "params", "log_metric", "checkpoint"} <= set(dir(tidemill.step))
    assert not hasattr(step, "json")
    assert not hasattr(step, "_tell")


def test_outside_of_a_step_there_is_nothing_to_know() -> None:
    assert not current.is_inside()
    with pytest.raises(RuntimeError, match="belongs to no step"):
        current.run_id()
    assert current.params() == {}


@pytest.fixture
def tracking(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    heard: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((self.path, self.headers.get("authorization"), json.loads(body)))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("MLFLOW_RUN_ID", "m1")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t")
    yield heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_metrics_go_to_the_tracking_server(tracking: list[Any]) -> None:
    assert current.log_metric("loss", 0.5, step=3)
    assert step.log_params({"rate": 0.1})
    (path, token, body), (_, _, params) = tracking
    assert (path, token, body["run_id"]) == ("/api/2.0/mlflow/runs/log-batch", "Bearer t", "m1")
    assert {key: body["metrics"][0][key] for key in ("key", "value", "step")} == {
        "key": "loss",
        "value": 0.5,
        "step": 3,
    }
    assert params["params"] == [{"key": "rate", "value": "0.1"}]


def test_without_a_tracking_server_a_step_goes_on_and_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    current._told.clear()
    assert not current.log_metric("loss", 0.5)
    assert not current.log_metric("loss", 0.4)
    assert capsys.readouterr().err.count("metrics are not recorded") == 1
