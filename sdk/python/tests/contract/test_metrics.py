from __future__ import annotations

from pathlib import Path

import pandas

import tidemill
from tidemill.azureml.core import Workspace
from tidemill.azureml.pipeline.core import PipelineRun


def logging(folder: Path, experiment: str) -> Path:
    """A pipeline file with a step that logs three points."""
    (folder / "src").mkdir()
    program = "import sys; sys.path.insert(0, sys.argv[1])\nfrom tidemill import current\nfor i in range(3):\n    assert current.log_metric('loss', 1 / (i + 1), step=i)\n"
    (folder / "src/log.py").write_text(program)
    package = Path(tidemill.__file__).parent.parent
    file = folder / "logs.yml"
    file.write_text(
        f"type: pipeline\nname: logs\nexperiment_name: {experiment}\njobs:\n  train:\n    code: ./src\n    command: python3 log.py {package}\n"
    )
    return file


def test_what_steps_log_is_read_as_rows(server: tidemill.Local, tmp_path: Path) -> None:
    file = logging(tmp_path, "metered")
    run = server.submit(file).wait(timeout=120)
    (last,) = run.metrics()
    assert (last["step"], last["attempt"], last["key"], last["value"], last["iteration"]) == (
        "train",
        1,
        "loss",
        1 / 3,
        2,
    )
    assert [row["value"] for row in run.metrics(history=True)] == [1.0, 0.5, 1 / 3]
    again = server.submit(file).wait(timeout=120)
    assert again["train"].status == "reused"
    (reused,) = again.metrics()
    assert (reused["step"], reused["value"], reused["reused_from"]) == ("train", 1 / 3, f"{run.id}/train")
    assert len(again.metrics(history=True)) == 3
    frame = run.metrics_frame(history=True)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["iteration"]) == [0, 1, 2]


def test_metrics_are_found_after_their_experiment_was_renamed(server: tidemill.Local, tmp_path: Path) -> None:
    file = logging(tmp_path, "old-name")
    run = server.submit(file, force_rerun=True).wait(timeout=120)
    again = server.submit(file).wait(timeout=120)
    mlflow = "/api/2.0/mlflow/experiments"
    found = server._http.json("GET", f"{mlflow}/get-by-name", query={"experiment_name": "old-name"})["experiment"]
    renamed = {"experiment_id": found["experiment_id"], "new_name": "a new name"}
    server._http.json("POST", f"{mlflow}/update", body=renamed)
    # Somebody else's, under the name that the plan has.
    server._http.json("POST", f"{mlflow}/create", body={"name": "old-name"})
    (row,) = run.metrics()
    assert (row["step"], row["key"], row["value"], row["reused_from"]) == ("train", "loss", 1 / 3, None)
    (reused,) = again.metrics()
    assert (reused["value"], reused["reused_from"]) == (1 / 3, f"{run.id}/train")
    for each in (run, again):
        step = PipelineRun.get(Workspace.of(server), each.id).find_step_run("train")[0]
        assert step.get_metrics() == {"loss": [1.0, 0.5, 1 / 3]}
