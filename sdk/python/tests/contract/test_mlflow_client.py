"""MLflow's client, as it comes from the index, against the real server: what it logs besides numbers and models, later instead of at once, and how it is found again; and the examples of the guide to tracking, as they stand.

Its basics are tested in `tests/embedded`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tidemill

SCRIPTS = Path(__file__).parent / "mlflow_scripts"
GUIDE = Path(__file__).parents[4] / "docs/tracking.md"
ADDRESS = "http://127.0.0.1:7470"


def printed(server: tidemill.Local, folder: Path, *command: str) -> str:
    """Runs a program whose MLflow logs to the server to its good end; answers with what it printed."""
    settings = {"MLFLOW_TRACKING_URI": server.url, "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=folder, env={**variables, **settings}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["datasets", "tables", "later", "files", "machine", "found"])
def test_a_script_of_mlflows_client_holds(server: tidemill.Local, tmp_path: Path, name: str) -> None:
    said = printed(server, tmp_path, sys.executable, str(SCRIPTS / f"{name}.py"))
    assert said.splitlines()[-1] == "ok"


def blocks(language: str) -> list[str]:
    """The guide's examples in a language, in their order."""
    return [piece.partition("```")[0] for piece in GUIDE.read_text().split(f"```{language}\n")[1:]]


def logged_in_a_step(server: tidemill.Local, folder: Path, script: str) -> tidemill.Run:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src/train.py").write_text(script)
    jobs = f"jobs:\n  train:\n    code: ./src\n    command: {sys.executable} train.py\n"
    (folder / "pipeline.yml").write_text(f"type: pipeline\nname: track\nexperiment_name: track\n{jobs}")
    return server.submit(folder / "pipeline.yml").wait(timeout=120)


def test_the_guides_examples_run_as_they_stand(server: tidemill.Local, tmp_path: Path) -> None:
    in_a_step, from_outside = blocks("python")
    run = logged_in_a_step(server, tmp_path, in_a_step)
    (logged,) = run.metrics()
    assert (logged["key"], logged["value"], logged["iteration"]) == ("error", 0.25, 1)

    # One whose error is as small as the guide looks for.
    logged_in_a_step(server, tmp_path, in_a_step.replace("0.25", "0.005"))
    assert ADDRESS in from_outside
    program = from_outside.replace(ADDRESS, server.url)
    assert printed(server, tmp_path, sys.executable, "-c", program) == "train 0.005 FINISHED\n"

    churn = "import mlflow\nwith mlflow.start_run() as run:\n    mlflow.log_text('a model', 'model/MLmodel')\n"
    churn += "mlflow.register_model(f'runs:/{run.info.run_id}/model', 'churn')\n"
    printed(server, tmp_path, sys.executable, "-c", churn)
    (calls,) = [block for block in blocks("sh") if block.startswith("curl ")]
    for line in calls.replace(ADDRESS, server.url).splitlines():
        answer = json.loads(printed(server, tmp_path, "sh", "-c", line))
        assert answer.get("registered_model", answer)["name"] == "churn", line
