"""azureml's names without a change of imports."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemill.azureml import install, uninstall
from tidemill.azureml.exceptions import UserErrorException

SOURCES = Path(__file__).parents[2] / "src"


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


SHOWN = "from azureml.core import Workspace; print(Workspace.__module__)"


def python(program: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    known = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=known, capture_output=True, text=True, check=False
    )


def test_a_variable_installs_it(tmp_path: Path) -> None:
    # What the line does that Python reads when it starts.
    line = (SOURCES / "tidemill_azureml.pth").read_text()
    assert line.startswith("import os; ")
    for value in ("1", "true", "True"):
        done = python(line + SHOWN, tmp_path, TIDEMILL_AZUREML=value)
        assert (done.stdout, done.stderr) == ("tidemill.azureml.core.workspace\n", "")
    done = python(line + SHOWN, tmp_path, TIDEMILL_AZUREML="0")
    assert "No module named 'azureml'" in done.stderr


def test_without_the_variable_a_start_imports_nothing(tmp_path: Path) -> None:
    line = (SOURCES / "tidemill_azureml.pth").read_text()
    done = python(line + "import sys; print([name for name in sys.modules if 'tidemill' in name])", tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_real_azureml_stays_whatever_the_variable_says(tmp_path: Path) -> None:
    (tmp_path / "azureml/core").mkdir(parents=True)
    (tmp_path / "azureml/__init__.py").write_text("")
    (tmp_path / "azureml/core/__init__.py").write_text("class Workspace: ...\n")
    line = (SOURCES / "tidemill_azureml.pth").read_text()
    # It is found by a path that is known only later.
    late = f"import sys; sys.path.append({str(tmp_path)!r})\n"
    done = python(
        line + late + SHOWN + "\nimport azureml.core\nimport tidemill.azureml", Path("/"), TIDEMILL_AZUREML="1"
    )
    assert done.stdout == "azureml.core\n"
    assert done.stderr.count("azureml is installed here") == 1
    forced = "import tidemill.azureml\ntidemill.azureml.install(force=True)\n"
    done = python(line + late + forced + SHOWN, Path("/"), TIDEMILL_AZUREML="1")
    assert (done.stdout, done.stderr) == ("tidemill.azureml.core.workspace\n", "")


def test_a_step_has_the_azureml_beside_its_code(tmp_path: Path) -> None:
    line = (SOURCES / "tidemill_azureml.pth").read_text()
    done = python(line + SHOWN, tmp_path, TIDEMILL_AZUREML="1", TIDEMILL_RUN_ID="r1")
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
