"""Notebooks executed as somebody would: in a folder of their own, beside the data of the examples."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

__all__ = ["EXAMPLES", "executed"]

EXAMPLES = Path(__file__).parents[4] / "examples"


def executed(text: str, folder: Path, kernel: str, variables: Mapping[str, str]) -> list[str]:
    """Executes a notebook; answers with the lines that it printed and showed."""
    notebook = nbformat.reads(text, as_version=4)
    work = folder / "notebooks"
    work.mkdir()
    shutil.copytree(EXAMPLES / "taxi/data", folder / "taxi/data")
    client = NotebookClient(notebook, timeout=180, kernel_name=kernel, resources={"metadata": {"path": str(work)}})
    client.execute(env={**variables, "MLFLOW_DISABLE_TELEMETRY": "true"})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [line for output in outputs for text in _texts(output) for line in text.splitlines()]


def _texts(output: Any) -> list[str]:
    data = output.get("data", {})
    return [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
