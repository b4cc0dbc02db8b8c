"""The wheel in an environment of its own, where azureml's name is asked for by a variable. The environment sees what the tests' Python has installed, but no tidemill other than the wheel's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import tidemill
from tests.contract.notebooks import EXAMPLES, executed

HERE = Path(__file__).parent / "azureml_notebooks"
PACKAGE = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copied(folder)
    called([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)])
    (wheel,) = folder.glob("*.whl")
    return installed(folder, str(wheel))


@pytest.fixture(scope="session")
def editable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with `pip install -e`."""
    folder = tmp_path_factory.mktemp("editable")
    return installed(folder, "--no-build-isolation", "--editable", str(copied(folder)))


def copied(folder: Path) -> Path:
    source = folder / "source"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("tests", "__pycache__", ".*"))
    return source


def installed(folder: Path, *what: str) -> Path:
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    (site_of(environment) / "zz_of_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(environment / "bin/python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
    called([*install, *what])
    return environment


def site_of(environment: Path) -> Path:
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def called(command: list[str]) -> None:
    done = subprocess.run(command, env=variables(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def variables(**more: str) -> dict[str, str]:
    """The environment without the path to the sources, which would stand before the wheel."""
    return {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, **more}


def python(environment: Path, program: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = [str(environment / "bin/python"), "-c", program]
    return subprocess.run(command, cwd=folder, env=variables(**more), capture_output=True, text=True, check=False)


def test_a_variable_is_all_that_an_import_of_azureml_needs(environment: Path, tmp_path: Path) -> None:
    program = "from azureml.core import Workspace; import tidemill; print(Workspace.__module__, tidemill.__file__)"
    done = python(environment, program, tmp_path, TIDEMILL_AZUREML="1")
    assert (done.returncode, done.stderr) == (0, "")
    module, file = done.stdout.split()
    assert module == "tidemill.azureml.core.workspace"
    assert Path(file).is_relative_to(site_of(environment))
    done = python(environment, program, tmp_path)
    assert "No module named 'azureml'" in done.stderr


def test_an_editable_installation_reads_the_line_too(editable: Path, tmp_path: Path) -> None:
    program = "from azureml.core import Workspace; import tidemill; print(Workspace.__module__, tidemill.__file__)"
    done = python(editable, program, tmp_path, TIDEMILL_AZUREML="1")
    assert (done.returncode, done.stderr) == (0, "")
    module, file = done.stdout.split()
    assert module == "tidemill.azureml.core.workspace"
    assert Path(file).is_relative_to(editable.parent / "source/src"), "the sources are what is imported"
    done = python(editable, program, tmp_path)
    assert "No module named 'azureml'" in done.stderr


def test_a_start_without_the_variable_looks_at_it_and_no_further(environment: Path, tmp_path: Path) -> None:
    program = "import sys; print([name for name in sys.modules if 'tidemill' in name or name == 'urllib3'])"
    done = python(environment, program, tmp_path)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    line = (site_of(environment) / "tidemill_azureml.pth").read_text()
    timed = f"import timeit; print(timeit.timeit({line!r}, number=1000) / 1000)"
    fastest = min(float(python(environment, timed, tmp_path).stdout) for _ in range(3))
    assert fastest < 0.001, "a start of Python takes ten milliseconds"


def test_the_real_azureml_stays_and_the_start_is_told_of_it(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "azureml/core").mkdir(parents=True)
    (tmp_path / "azureml/__init__.py").write_text("")
    (tmp_path / "azureml/core/__init__.py").write_text("class Workspace: ...\n")
    program = "import sys\nfrom azureml.core import Workspace\nprint(Workspace.__module__)"
    done = python(environment, program, tmp_path, TIDEMILL_AZUREML="1")
    assert (done.returncode, done.stdout) == (0, "azureml.core\n")
    assert "TIDEMILL_AZUREML is set, but azureml is installed here" in done.stderr
    quiet = python(environment, "print('other work')", tmp_path, TIDEMILL_AZUREML="1")
    assert (quiet.stdout, quiet.stderr) == ("other work\n", "")


@pytest.fixture
def kernel(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel of that environment, by its name."""
    folder = tmp_path / "jupyter/kernels/wheel"
    folder.mkdir(parents=True)
    argv = [str(environment / "bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "wheel", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    return "wheel"


def known(server: tidemill.Local, folder: Path) -> dict[str, str]:
    """What somebody sets who has notebooks of azureml to run."""
    settings = {"TIDEMILL_AZUREML": "1", "TIDEMILL_URL": server.url, "TIDEMILL_TOKEN": server._http.config.token or ""}
    return variables(**settings, XDG_DATA_HOME=str(folder / "data"))


@pytest.mark.filterwarnings("default")
def test_a_notebook_of_azureml_runs_untouched(server: tidemill.Local, kernel: str, tmp_path: Path) -> None:
    text = (HERE / "first_pipeline.ipynb").read_text()
    assert "tidemill" not in text
    shown = executed(text, tmp_path, kernel, known(server, tmp_path))
    for line in ["SDK version: 1.62.0", "Finished", "total: 10", "metrics: {'rows': 4.0}"]:
        assert line in shown
    assert any("<svg" in line for line in shown), "RunDetails draws the run"


@pytest.mark.filterwarnings("default")
def test_the_example_with_azuremls_own_imports_runs_by_the_variable(
    server: tidemill.Local, kernel: str, tmp_path: Path
) -> None:
    text = (EXAMPLES / "notebooks/from_azure_ml.ipynb").read_text()
    assert text.count("from tidemill.azureml") > 5
    shown = executed(text.replace("from tidemill.azureml", "from azureml"), tmp_path, kernel, known(server, tmp_path))
    assert "Taxi-fares Active Finished" in shown
