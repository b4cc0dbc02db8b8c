"""What stands in for azureml in a step: in a process of its own, with the standard library and nothing of ours installed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tidemill.azureml._sheet import step_files
from tidemill.azureml._step.core.logging import assembled

Asked = list[tuple[str, str, Any]]


@pytest.fixture
def tracking() -> Iterator[tuple[str, Asked]]:
    """A tracking server that writes down what it is asked."""
    asked: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(json.loads(self._body()))

        def do_PUT(self) -> None:
            self._answer(self._body().decode())

        def do_GET(self) -> None:
            self._answer(None)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("content-length", 0)))

        def _answer(self, body: Any) -> None:
            asked.append((self.command, self.path.partition("?")[0], body))
            answers = {
                "/api/2.0/mlflow/runs/create": {"run": {"info": {"run_id": "child"}}},
                "/api/2.0/mlflow/runs/get": {"run": {"info": {"artifact_uri": "mlflow-artifacts:/7/r1/artifacts"}}},
                "/api/2.0/mlflow/model-versions/create": {"model_version": {"version": "3"}},
            }
            text = json.dumps(answers.get(asked[-1][1], {})).encode()
            self.send_response(401 if self.headers.get("authorization") != "Bearer secret" else 200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def step(folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a script as a step would: in its folder, with the stand-in beside it, isolated from this Python's packages."""
    for name, data in step_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "script.py").write_text(script)
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": "_tidemill",
        "TIDEMILL_RUN_ID": "run-1",
        "TIDEMILL_STEP": "train",
        "TIDEMILL_ATTEMPT": "2",
        "TIDEMILL_EXPERIMENT": "trials",
        "TIDEMILL_WORK_DIR": str(folder),
        **variables,
    }
    environment = {key: value for key, value in environment.items() if value}
    command = [sys.executable, "-S", "script.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def ran(folder: Path, script: str, **variables: str) -> str:
    done = step(folder, script, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_logged_goes_to_the_tracking_server(tmp_path: Path, tracking: tuple[str, Asked]) -> None:
    url, asked = tracking
    script = (
        "from azureml.core import Run\n"
        "from azureml.core.run import Run as Same\n"
        "run = Run.get_context()\n"
        "assert run is Same.get_context() is Run.get_context()\n"
        "run.log('accuracy', 0.9); run.log('accuracy', 0.95); run.log('loss', 1, step=7); run.log('kind', 'tree')\n"
        "run.log_list('sizes', [1, 2]); run.log_row('table', a=1, b='x'); run.log_row('table', a=2, b='y')\n"
        "run.log_table('sines', {'x': [1, 2], 'y': [3, 4]})\n"
        "run.tag('state', 'good'); run.set_tags({'more': 1}); run.flush()\n"
        "print(run.id, run.name, run.number, run.experiment.name, run.parent.id, run.get_status())\n"
        "print(run.get_metrics(), run.get_metrics('accuracy'), run.tags)\n"
    )
    out = ran(tmp_path, script, MLFLOW_TRACKING_URI=url, MLFLOW_RUN_ID="r1", MLFLOW_TRACKING_TOKEN="secret")
    assert out.splitlines()[0] == "run-1.train train 2 trials run-1 Running"
    assert "'accuracy': [0.9, 0.95]" in out
    assert "'table': {'a': [1, 2], 'b': ['x', 'y']}" in out
    metrics = [metric for _, path, body in asked if path.endswith("log-batch") for metric in body["metrics"]]
    assert [(m["key"], m["value"], m["step"]) for m in metrics] == [
        ("accuracy", 0.9, 0),
        ("accuracy", 0.95, 1),
        ("loss", 1.0, 7),
        ("sizes", 1.0, 0),
        ("sizes", 2.0, 1),
        ("table.a", 1.0, 0),
        ("table.a", 2.0, 1),
        ("sines.x", 1.0, 0),
        ("sines.y", 3.0, 0),
        ("sines.x", 2.0, 1),
        ("sines.y", 4.0, 1),
    ]
    tags = {body["key"]: body["value"] for _, path, body in asked if path.endswith("set-tag")}
    assert tags["state"] == "good"
    assert tags["azureml.text.kind"] == "tree"
    series: dict[str, list[float]] = {}
    for metric in metrics:
        series.setdefault(metric["key"], []).append(metric["value"])
    found = assembled(series, tags)
    assert found["accuracy"] == [0.9, 0.95]
    assert found["table"] == {"a": [1.0, 2.0]}
    assert found["sines"] == {"x": [1.0, 2.0], "y": [3.0, 4.0]}
    assert found["kind"] == "tree"


def test_without_a_tracking_server_it_is_printed_and_with_a_broken_one_the_step_goes_on(tmp_path: Path) -> None:
    script = "from azureml.core import Run\nrun = Run.get_context()\nrun.log('a', 1)\nrun.tag('b', 'c')\nprint('end')\n"
    done = step(tmp_path, script)
    assert done.stdout == "a: 1.0 (0)\nb: c\nend\n"
    assert "this step was given no tracking server" in done.stderr
    done = step(tmp_path, script, MLFLOW_TRACKING_URI="http://127.0.0.1:1", MLFLOW_RUN_ID="r")
    assert (done.returncode, done.stdout) == (0, "end\n")
    assert done.stderr.count("is not recorded") == 1
    done = step(tmp_path, script, TIDEMILL_RUN_ID="")
    assert done.stdout == "a: 1.0 (0)\nb: c\nend\n"
    done = step(tmp_path, "from azureml.core import Run\nRun.get_context(allow_offline=False)", TIDEMILL_RUN_ID="")
    assert "belongs to no run" in done.stderr


def test_files_are_kept_below_outputs(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"png")
    script = (
        "import io\nfrom azureml.core import Run\nrun = Run.get_context()\n"
        "run.upload_file('outputs/a/model.pkl', 'picture.png'); run.upload_file('b.txt', io.StringIO('text'))\n"
        "run.upload_files(['c', 'logs/d'], ['picture.png', 'picture.png']); run.log_image('plot', path='picture.png')\n"
        "run.log_confusion_matrix('m', {'data': [1]}); run.upload_folder('e', '_tidemill/azureml/core')\n"
        "print(run.get_file_names()[:5])\n"
        "try:\n    run.upload_file('../x', 'picture.png')\nexcept ValueError as e:\n    print(e)\n"
    )
    out = ran(tmp_path, script)
    assert "leads out of the run's files" in out
    for name in ["a/model.pkl", "b.txt", "c", "images/plot.png", "confusion_matrix/m.json", "e/run.py"]:
        assert (tmp_path / "outputs" / name).is_file()
    assert (tmp_path / "logs/d").is_file()
    assert not (tmp_path.parent / "x").exists()


def test_a_child_logs_by_itself_and_a_model_is_registered(tmp_path: Path, tracking: tuple[str, Asked]) -> None:
    url, asked = tracking
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/model.pkl").write_text("pickled")
    script = (
        "from azureml.core import Run\nfrom azureml.core.model import Model\nrun = Run.get_context()\n"
        "with run.child_run('one') as child:\n    child.log('x', 1)\nprint(child.id, child.parent is run)\n"
        "mine = run.experiment.start_logging()\nprint(mine.id, mine.parent is run)\n"
        "model = run.register_model('churn', 'outputs/model.pkl', tags={'a': 1})\nprint(model.name, model.version)\n"
    )
    out = ran(
        tmp_path,
        script,
        MLFLOW_TRACKING_URI=url,
        MLFLOW_RUN_ID="r1",
        MLFLOW_TRACKING_TOKEN="secret",
        MLFLOW_EXPERIMENT_ID="7",
    )
    assert out == "child True\nchild True\nchurn 3\n"
    by_path = {path.rpartition("mlflow/")[2]: body for _, path, body in asked}
    assert by_path["runs/create"]["tags"] == [{"key": "mlflow.parentRunId", "value": "r1"}]
    assert by_path["runs/log-batch"]["run_id"] == "child"
    assert by_path["runs/update"] == {"run_id": "child", "status": "FINISHED"}
    puts = [(path, body) for method, path, body in asked if method == "PUT"]
    assert puts == [("/api/2.0/mlflow-artifacts/artifacts/7/r1/artifacts/models/churn/model.pkl", "pickled")]
    assert by_path["model-versions/create"]["source"] == "mlflow-artifacts:/7/r1/artifacts/models/churn"


def test_inputs_are_datasets_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("a;b\n1;2\n")
    script = (
        "import os\nfrom azureml.core import Dataset, Model, Run, Workspace\nrun = Run.get_context()\n"
        "table = run.input_datasets['rows']\nprint(table.to_path(), run.input_datasets['files'] == os.environ['TIDEMILL_INPUT_files'])\n"
        "print(Dataset.get_by_id(run.experiment.workspace, id=str(table)).to_path(), run.output_datasets)\n"
        "print(os.environ['AZUREML_DATAREFERENCE_rows'] == str(table), Model.get_model_path('my-model') == str(table))\n"
        "with table.mount() as mounted:\n    print(os.listdir(mounted.mount_point))\n"
        "print([os.path.basename(p) for p in table.download('copy')])\n"
        "for wrong in (lambda: Dataset.get_by_name(None, 'other'), lambda: Workspace.from_config().datastores, lambda: Model.get_model_path('no')):\n"
        "    try:\n        wrong()\n    except (AttributeError, RuntimeError) as e:\n        print(e)\n"
    )
    place = str(tmp_path / "in")
    out = ran(
        tmp_path,
        script,
        TIDEMILL_INPUT_rows=place,
        TIDEMILL_INPUT_files=place,
        TIDEMILL_INPUT_my_model=place,
        TIDEMILL_OUTPUT_total="/out",
        AZUREML_STEP_TABLES='{"rows": {"format": "delimited", "separator": ";"}}',
    ).splitlines()
    assert out[:5] == ["['/a.csv'] True", "['/a.csv'] {'total': '/out'}", "True True", "['a.csv']", "['a.csv']"]
    assert "name it as an input of the step" in out[5]
    assert "a workspace in a step has no `datastores`" in out[6]
    assert "no input 'no'" in out[7]


def test_a_script_that_says_that_it_failed_fails(tmp_path: Path) -> None:
    done = step(tmp_path, "from azureml.core import Run\nRun.get_context().fail('bad')\nprint('end')\n")
    assert (done.returncode, done.stdout) == (1, "end\n")
    assert "bad" in done.stderr


def test_other_parts_of_azureml_are_found_where_they_are_installed(tmp_path: Path) -> None:
    (tmp_path / "site/azureml").mkdir(parents=True)
    (tmp_path / "site/azureml/__init__.py").write_text("")
    (tmp_path / "site/azureml/other.py").write_text("name = 'theirs'")
    script = "from azureml.core import Run\nfrom azureml.other import name\nprint(name, Run.__module__)\n"
    assert ran(tmp_path, script, PYTHONPATH="_tidemill:site") == "theirs azureml.core.run\n"


def test_a_table_is_read_with_pandas(tmp_path: Path) -> None:
    from tidemill.azureml.core import Dataset

    pandas = pytest.importorskip("pandas")
    (tmp_path / "t").mkdir()
    (tmp_path / "t/b.csv").write_text("a;b\n3;4\n")
    (tmp_path / "t/a.csv").write_text("a;b\n1;2\n")
    (tmp_path / "t/_SUCCESS").write_text("")
    found = Dataset.Tabular.from_delimited_files(str(tmp_path / "t"), separator=";").to_pandas_dataframe()
    assert found.to_dict("list") == {"a": [1, 3], "b": [2, 4]}
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert list(Dataset.Tabular.from_json_lines_files(str(tmp_path / "rows.jsonl")).to_pandas_dataframe()["a"]) == [
        1,
        2,
    ]
    text = Dataset.Tabular.from_delimited_files(
        str(tmp_path / "t/a.csv"), separator=";", header=False, infer_column_types=False
    )
    assert text.to_pandas_dataframe().shape == (2, 2)
    assert isinstance(found, pandas.DataFrame)
