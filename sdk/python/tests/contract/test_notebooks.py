"""The example notebooks run as they stand, and show what they are about."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

import tidemill
from tests.contract.notebooks import EXAMPLES, executed

NOTEBOOKS = sorted((EXAMPLES / "notebooks").glob("*.ipynb"))
# What each of them shows or prints: a value of a cell, or a line.
SHOWN = {
    "first_steps": ["'200.5'", "'401.0'", "'100.2'", "{'clean': 'reused', 'weight': 'succeeded'}"],
    "walk_a_run": [
        "659 trips to learn from, 165 to try it on",
        "fit succeeded after ['split'] in 1 attempt(s)",
        "['test.csv', 'train.csv']",
        "{'reused'}",
        "<AssetVersion model fares:1> 0.02",
    ],
    "tracking": [
        "['C = 0.01', 'C = 0.001']",
        "'0.967'",
        "<AssetVersion model iris:1> ['latest', 'champion']",
        "['FINISHED']",
    ],
    "publish_and_schedule": [
        "True large_orders {'tidemill.pipeline': 'large_orders:1'}",
        "'-1 is less than the smallest value allowed, 0'",
        "large_orders:1 4 factory",
        "'succeeded'",
        "3 moments; it has not fired yet",
        "['started']",
    ],
    "from_azure_ml": [
        "green-trips 1",
        "problems: []",
        "Cleanse trips Finished {'kept': 824.0, 'rows': 834.0}",
        "['base', 'each']",
        "kept: True",
        "Taxi-fares Active Finished",
    ],
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_an_example_notebook_runs(path: Path, server: tidemill.Local, tmp_path: Path) -> None:
    # One of them looks for a coordinator; the others start their own.
    variables = {"TIDEMILL_URL": server.url, "TIDEMILL_TOKEN": server._http.config.token or ""}
    shown = executed(path.read_text(), tmp_path, "python3", {**os.environ, **variables})
    assert [line for line in SHOWN[path.stem] if line not in shown] == [], shown
    assert "<svg" in "".join(shown), "runs and pipelines are drawn"


def test_each_notebook_is_looked_at_and_kept_without_what_it_showed() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        assert [cell.get("outputs", []) for cell in notebook.cells if cell.get("outputs")] == [], path.name
