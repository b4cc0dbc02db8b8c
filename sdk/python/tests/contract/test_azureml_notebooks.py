"""Notebooks of azureml, unchanged, against the real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tidemill

HERE = Path(__file__).parent / "azureml_notebooks"


def run_notebook(server: tidemill.Local, folder: Path, name: str) -> list[str]:
    """Runs it in a folder of its own; answers with the lines that it printed."""
    shutil.copytree(HERE / "scripts", folder / "scripts")
    shutil.copy(HERE / name, folder / name)
    variables = {
        **os.environ,
        "TIDEMILL_URL": server.url,
        "TIDEMILL_TOKEN": server._http.config.token or "",
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    command = [sys.executable, "-m", "tidemill.azureml", name]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_notebook_with_data_between_scripts(server: tidemill.Local, tmp_path: Path) -> None:
    lines = run_notebook(server, tmp_path, "data_dependency.py")
    for line in [
        "SDK version: 1.62.0",
        "problems: []",
        "ended: Finished Finished Completed",
        "step: Extract rows Finished",
        "step: compare.py Finished",
        "files: 1",
        "log: compared [['kept.csv'], ['model.txt']]",
        "kept: outputs/chart.txt, outputs/model.pkl",
        "outputs: ['processed_data']",
        "registered: rows-model 1 rows",
        "downloaded: models/model.pkl",
        "reused: True",
        "published: Rows-to-model 1.0 Active ['Extract rows', 'train', 'compare.py']",
        "by id: Finished",
    ]:
        assert line in lines
    assert [line for line in lines if line.startswith("model: ")] == ["model: 2 0.1", "model: 8 0.1"]


def test_a_notebook_with_datasets(server: tidemill.Local, tmp_path: Path) -> None:
    lines = run_notebook(server, tmp_path, "datasets.py")
    for line in [
        "registered: numbers 1 1 {'kind': 'text'} ['/a.txt']",
        "said: ['names: files, numbers', 'files: text of a file']",
        "total: 3two1 {'team': 'rows'}",
        "single: Completed Completed ['outputs/here/kept.csv']",
        "endpoint: sums 1 ['1', '2']",
        "steps: ['other']",
        "default: Finished",
        "model: a model 1",
        "modules: Finished",
        "use: a model",
        "copies: 3 1",
        "failed: ActivityFailedException Failed",
        "failed: Failed True the script goes on to its end",
    ]:
        assert line in lines
    (disabled,) = (line for line in lines if line.startswith("disabled: "))
    assert "'other-sums:1'" not in disabled
    assert disabled.endswith("Disabled")


def test_a_notebook_that_reads_what_was_logged(server: tidemill.Local, tmp_path: Path) -> None:
    lines = run_notebook(server, tmp_path, "logged.py")
    for line in [
        "metrics: ['accuracy', 'best', 'kind', 'rows', 'table'] [0.5, 0.75] 2.0 tree {'a': [1.0, 3.0], 'b': [2.0, 4.0]}",
        "parent: {'best': 0.75, 'rows': 2.0} {'stage': 'done'} {'from': 'log.py'} 0.75",
        "model: {'area': 'rows', 'framework': 'Custom', 'framework_version': '1'}",
        "tags: good 2.0",
        "tagged: yes",
        "reused: 2.0",
        "properties: 7 True {'from': 'log.py', 'release': '3'} {'stage': 'done', 'quality': 'high'}",
        "mine: {'loss': [0.5, 0.25]} Completed ['Completed']",
    ]:
        assert line in lines


def test_a_notebook_that_publishes_and_schedules(server: tidemill.Local, tmp_path: Path) -> None:
    lines = run_notebook(server, tmp_path, "published.py")
    for line in [
        "by rest: Finished",
        "rows: rows 5",
        "from a run: From-a-run:1 Finished",
        "schedule: Nightly Active Logged_Pipeline:1 day",
        "from: Pacific Standard Time 5096341800000",
        "changed: other week",
        "disabled: Disabled [] 1",
        "enabled: Active None",
    ]:
        assert line in lines


def test_without_the_package_a_script_is_told_what_to_type(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "tidemill.azureml"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python -m tidemill.azureml SCRIPT" in done.stderr


@pytest.mark.parametrize("name", ["data_dependency.py", "datasets.py", "published.py", "logged.py"])
def test_the_notebooks_import_azureml_and_nothing_of_ours(name: str) -> None:
    assert "tidemill" not in (HERE / name).read_text()
