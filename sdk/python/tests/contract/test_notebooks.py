"""The example notebooks run as they stand, in a folder of their own."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[4] / "examples/notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")
def test_an_example_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=dict(os.environ))
    shown = str(notebook)
    assert "<svg" in shown, "runs and pipelines are drawn"
    texts = [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    assert "'200.5'" in texts
    assert "'401.0'" in texts
    assert "'100.2'" in texts
    assert "{'clean': 'reused', 'weight': 'succeeded'}" in texts


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
