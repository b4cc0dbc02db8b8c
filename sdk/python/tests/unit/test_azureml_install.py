"""azureml's names without a change of imports."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.azureml import install, uninstall
from tidemill.azureml.exceptions import UserErrorException


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    uninstall()


def test_both_names_are_the_same_modules_and_classes() -> None:
    install()
    install()
    theirs = importlib.import_module("azureml.pipeline.steps")
    ours = importlib.import_module("tidemill.azureml.pipeline.steps")
    assert theirs is ours
    assert ours.__name__ == "tidemill.azureml.pipeline.steps"
    assert ours.__spec__ is not None
    assert ours.__spec__.name == "tidemill.azureml.pipeline.steps"
    assert importlib.import_module("azureml.core.run").Run is importlib.import_module("tidemill.azureml.core").Run
    assert importlib.reload(ours) is ours
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.nothing")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml._sheet")
    uninstall()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("azureml.core")


def test_the_real_azureml_is_not_taken_the_place_of_unless_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "azureml/core").mkdir(parents=True)
    for name in ("azureml/__init__.py", "azureml/core/__init__.py"):
        (tmp_path / name).write_text("theirs = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserErrorException, match="azureml is installed here"):
        install()
    assert importlib.import_module("azureml.core").theirs
    install(force=True)
    assert importlib.import_module("azureml.core").Workspace is not None


def test_a_variable_installs_it(tmp_path: Path) -> None:
    program = "import tidemill.azureml\nfrom azureml.core import Workspace\nprint(Workspace.__module__)"
    import os

    for value, works in (("1", True), ("", False)):
        variables = {**os.environ, "TIDEMILL_AZUREML": value}
        done = subprocess.run(
            [sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False
        )
        assert (done.returncode == 0) is works
    assert "No module named 'azureml'" in done.stderr


def test_a_script_is_run_with_its_arguments_and_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/near.py").write_text("near = 'neighbour'")
    (tmp_path / "inner/script.py").write_text(
        "import sys\nimport near\nfrom azureml.core import VERSION\nprint(near.near, VERSION, sys.argv)\n"
    )
    command = [sys.executable, "-m", "tidemill.azureml", "inner/script.py", "--a"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "neighbour 1.62.0 ['inner/script.py', '--a']\n"
