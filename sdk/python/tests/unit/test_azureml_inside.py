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


def logging_to(url: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": url, "MLFLOW_RUN_ID": "r1", "MLFLOW_TRACKING_TOKEN": "secret"}


def test_runs_below_a_step_are_found_and_ended(tmp_path: Path, tracking: tuple[str, Asked]) -> None:
    url, asked = tracking
    script = (
        "from azureml.core import Run\nrun = Run.get_context(_batch_upload_metrics=False)\n"
        "assert Run.get_submitted_run() is run and Run.get(None, run.id) is run and Run.get(None, 'run-1') is run.parent\n"
        "print(run.type, run.parent.type, run.get_detailed_status()['status'])\n"
        "a, b, c = run.create_children(tag_key='fold', tag_values=[1, 2, 3])\n"
        "a.complete(); b.fail('too bad'); c.cancel()\n"
        "print([child.get_status() for child in run.get_children()], [x.tags for x in run.get_children(tags={'fold': '2'})])\n"
        "print(len(list(run.get_children(status='Failed'))), a.wait_for_completion()['status'], Run.get(None, a.id) is a)\n"
        "inner = a.child_run('inner')\n"
        "print(len(list(run.get_children())), len(list(run.get_children(recursive=True))), inner.name, inner.type)\n"
        "try:\n    b.wait_for_completion()\nexcept RuntimeError as e:\n    print(e)\n"
        "run.display_name = 'best'; run.description = 'a note'; run.tag('x', 1); run.remove_tags('x')\n"
        "print(run.display_name, run.description, run.tags)\n"
        "try:\n    run.create_children()\nexcept ValueError as e:\n    print(e)\n"
    )
    out = ran(tmp_path, script, **logging_to(url)).splitlines()
    assert out == [
        "azureml.StepRun azureml.PipelineRun Running",
        "['Completed', 'Failed', 'Canceled'] [{'fold': '2'}]",
        "1 Completed True",
        "3 4 inner azureml.scriptrun",
        "child Failed",
        "best a note {}",
        "give a count, or tag_key and tag_values",
    ]
    updates = [body for _, path, body in asked if path.endswith("runs/update")]
    assert [body.get("status") for body in updates] == ["FINISHED", "FAILED", "KILLED", None]
    assert updates[-1] == {"run_id": "r1", "run_name": "best"}
    assert ("POST", "/api/2.0/mlflow/runs/delete-tag", {"run_id": "r1", "key": "x"}) in asked


def test_what_a_step_cannot_do_says_why_and_what_works(tmp_path: Path) -> None:
    script = (
        "from azureml.core import Model, Run\nrun = Run.get_context()\n"
        "for wrong in (lambda: run.get_secret('db-password'), lambda: run.get_secrets(['a']), lambda: run.submit_child(None),\n"
        "    lambda: Run.list(run.experiment), lambda: Run.get(None, 'other'), lambda: run.wait_for_completion(),\n"
        "    lambda: run.get_snapshot_id(), lambda: run.experiment.workspace.get_default_keyvault(), lambda: Model.list(None),\n"
        "    lambda: setattr(run.parent, 'display_name', 'x'), lambda: run.download_files(output_paths=['a']),\n"
        "    lambda: run.register_model('m', 'outputs', datasets=[1])):\n"
        "    try:\n        wrong()\n    except NotImplementedError as e:\n        print(e.code, e, e.hint)\n"
    )
    out = ran(tmp_path, script)
    assert out.count("not_supported ") == 12
    assert "RunConfiguration().secrets['VARIABLE'] = 'db-password'`, and here os.environ['VARIABLE']" in out
    assert "`datasets` of Model.register is not supported: a model is files with tags" in out


def test_where_all_of_tidemill_is_loaded_a_step_refuses_with_its_error() -> None:
    from tidemill.azureml import NotSupportedError
    from tidemill.azureml._step.core.run import Run

    with pytest.raises(NotSupportedError, match="get_secret is not supported") as raised:
        Run("r", None).get_secret("db")
    assert "'db'" in str(raised.value.hint)


def test_files_that_are_kept_so_far_are_copied(tmp_path: Path) -> None:
    script = (
        "import os\nfrom azureml.core import Run\nrun = Run.get_context()\n"
        "os.makedirs('outputs/deep'); os.makedirs('there')\n"
        "open('outputs/deep/a.txt', 'w').write('a'); open('outputs/b.txt', 'w').write('b')\n"
        "run.download_file('deep/a.txt'); run.download_file('outputs/b.txt', 'there'); run.download_file('b.txt', 'x/c.txt')\n"
        "run.download_files('outputs/deep', 'all', append_prefix=False); run.download_files(output_directory='whole')\n"
        "print([open(p).read() for p in ('a.txt', 'there/b.txt', 'x/c.txt', 'all/a.txt', 'whole/outputs/deep/a.txt')])\n"
        "try:\n    run.download_file('no.txt')\nexcept FileNotFoundError as e:\n    print(e)\n"
    )
    out = ran(tmp_path, script).splitlines()
    assert out == [
        "['a', 'b', 'b', 'a', 'a']",
        "the run keeps no file 'no.txt'; it keeps outputs/b.txt, outputs/deep/a.txt",
    ]


def test_what_is_logged_to_the_parent_is_kept_with_the_step(tmp_path: Path, tracking: tuple[str, Asked]) -> None:
    url, asked = tracking
    script = (
        "from azureml.core import Run\nrun = Run.get_context()\nparent = run.parent\n"
        "for value in (1, 1, 2):\n    run.log('both', value); parent.log('both', value)\n"
        "parent.log('only', 3); parent.log('only', 4); parent.log('kind', 'tree'); parent.log_row('t', x=1)\n"
        "parent.tag('stage', 'done'); parent.add_properties({'built': 7}); parent.remove_tags(['old'])\n"
        "print(parent.get_metrics(), run.get_metrics(), parent.tags, run.tags)\n"
    )
    done = step(tmp_path, script, **logging_to(url))
    assert done.stdout == (
        "{'both': [1, 1, 2], 'only': [3, 4], 'kind': 'tree', 't': {'x': [1]}} {'both': [1, 1, 2]} {'stage': 'done'} {}\n"
    )
    assert done.stderr.count("is kept with the step: a step may log to itself only") == 1
    metrics = [metric for _, path, body in asked if path.endswith("log-batch") for metric in body["metrics"]]
    assert [(m["key"], m["value"], m["step"]) for m in metrics] == [
        ("both", 1.0, 0),
        ("both", 1.0, 1),
        ("both", 2.0, 2),
        ("only", 3.0, 0),
        ("only", 4.0, 1),
        ("t.x", 1.0, 0),
    ]
    tags = {body["key"]: body["value"] for _, path, body in asked if path.endswith("set-tag")}
    assert tags == {
        "azureml.parent.metric.both": "yes",
        "azureml.parent.metric.only": "yes",
        "azureml.parent.metric.t.x": "yes",
        "azureml.text.kind": "tree",
        "azureml.parent.azureml.text.kind": "tree",
        "azureml.table.t": '["x"]',
        "azureml.parent.azureml.table.t": '["x"]',
        "azureml.parent.stage": "done",
        "azureml.parent.azureml.property.built": "7",
    }
    assert {body["run_id"] for _, _, body in asked} == {"r1"}
    assert asked[-1][2] == {"run_id": "r1", "key": "azureml.parent.old"}


def test_a_model_is_registered_with_all_that_is_said_of_it(tmp_path: Path, tracking: tuple[str, Asked]) -> None:
    url, asked = tracking
    (tmp_path / "model.pkl").write_text("pickled")
    script = (
        "from azureml.core import Model, Run, Workspace\n"
        "Model.register(Workspace(), 'model.pkl', 'm', [('a', 1), 'b'], {'p': 2}, 'good', None, Model.Framework.SCIKITLEARN, '1.5')\n"
        "Run.get_context().register_model('m', 'model.pkl', model_framework='Custom', model_framework_version='2')\n"
    )
    ran(tmp_path, script, **logging_to(url))
    first, second = (body for _, path, body in asked if path.endswith("model-versions/create"))
    assert {tag["key"]: tag["value"] for tag in first["tags"]} == {
        "a": "1",
        "b": "",
        "p": "2",
        "framework": "ScikitLearn",
        "framework_version": "1.5",
    }
    assert first["description"] == "good"
    assert second["tags"] == [{"key": "framework", "value": "Custom"}, {"key": "framework_version", "value": "2"}]


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
