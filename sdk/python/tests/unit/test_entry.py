from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill import InputFile, OutputFile, OutputFolder, Param, ValidationError, pipeline, step
from tidemill._scan import scan

MODULE = '''
from typing import Annotated
from tidemill import InputFile, OutputFile, OutputFolder, Param, current, pipeline, step

assert __name__ != "__main__"

@step(compute="cpu", environment={"requirements": ["numpy"]})
def work(rows: InputFile, n: int, rate: float = 0.5, flag: bool = False, name: str | None = None, *, out: OutputFile, folder: OutputFolder) -> None:
    """Writes down what it was given."""
    (folder / "inner").mkdir()
    text = f"{rows.read_text()} {n!r} {rate!r} {flag!r} {name!r} {current.step()} {step.params()['n']} {step.output('out').name}"
    out.write_text(text)

@step
def bare(*, out: OutputFile) -> None:
    out.write_text("bare")

@step
async def later(*, out: OutputFile) -> int:
    out.write_text("later")
    return 1

@pipeline(name="p")
def draw(x: Annotated[int, Param(min=1)] = 3):
    bare()
'''


def unpack(function: object, where: Path) -> list[str]:
    """Puts a step's code where a worker would, and answers with its command."""

    @pipeline(name="p")
    def draws() -> None:
        function(**dict.fromkeys(function.ports.inputs, "1"))  # type: ignore[operator, attr-defined]

    rendered = draws.draw().render()
    (source,) = rendered.sources.values()
    for entry in scan(source, code=True).entries:
        place = where / (entry.path or "")
        place.parent.mkdir(parents=True, exist_ok=True)
        data = entry.open()
        place.write_bytes(data if isinstance(data, bytes) else data.read())
        if not isinstance(data, bytes):
            data.close()
    job = next(iter(draws.draw().to_dict()["jobs"].values()))
    return str(job["component"]["command"]).split(" ")


def run(command: list[str], where: Path, with_package: bool, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {"PATH": os.environ["PATH"], "TIDEMILL_STEP": "work", "TIDEMILL_RUN_ID": "r"}
    if with_package:
        inherited["PYTHONPATH"] = os.environ["PYTHONPATH"]
    arguments = [sys.executable, *command[1:]]
    return subprocess.run(
        arguments, cwd=where, env={**inherited, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("with_package", [True, False])
def test_a_function_runs_with_its_inputs_and_outputs_also_where_the_package_is_not_installed(
    tmp_path: Path, with_package: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = tmp_path / "author"
    author.mkdir()
    (author / "jobs.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(author))
    monkeypatch.delitem(sys.modules, "jobs", raising=False)
    import jobs  # type: ignore[import-not-found]

    where, out = tmp_path / "work", tmp_path / "out"
    command = unpack(jobs.work, where)
    (tmp_path / "rows.csv").write_text("rows")
    given = {
        "TIDEMILL_INPUT_rows": str(tmp_path / "rows.csv"),
        "TIDEMILL_INPUT_n": "7",
        "TIDEMILL_INPUT_rate": "1e-3",
        "TIDEMILL_INPUT_flag": "True",
        "TIDEMILL_OUTPUT_out": str(out / "o"),
        "TIDEMILL_OUTPUT_folder": str(out / "f"),
    }
    done = run(command, where, with_package, **given)
    assert done.returncode == 0, done.stderr
    assert (out / "o").read_text() == "rows 7 0.001 True None work 7 o"
    assert (out / "f/inner").is_dir()
    bare = unpack(jobs.bare, where)
    assert run(bare, where, with_package, TIDEMILL_OUTPUT_out=str(out / "b")).returncode == 0
    assert (out / "b").read_text() == "bare"
    late = run(unpack(jobs.later, where), where, with_package, TIDEMILL_OUTPUT_out=str(out / "l"))
    assert (out / "l").read_text() == "later"
    assert "what the function returned is dropped" in late.stderr


def test_a_function_that_fails_fails_the_step_with_its_own_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "failing.py").write_text(
        "from tidemill import step\n@step\ndef f() -> None:\n    raise KeyError('what')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import failing  # type: ignore[import-not-found]

    done = run(unpack(failing.f, tmp_path / "work"), tmp_path / "work", False)
    assert done.returncode == 1
    assert "KeyError: 'what'" in done.stderr


def test_a_function_of_a_notebook_travels_alone(tmp_path: Path) -> None:
    source = "@step(\n    compute='cpu',\n)\ndef cell(n: int, *, out: OutputFile) -> None:\n    import json\n    out.write_text(json.dumps(n + 1))\n"
    import linecache

    linecache.cache["<ipython-input-1>"] = (len(source), None, source.splitlines(keepends=True), "<ipython-input-1>")
    names: dict[str, object] = {"step": step, "OutputFile": OutputFile}
    exec(compile(source, "<ipython-input-1>", "exec"), names)
    where = tmp_path / "work"
    command = unpack(names["cell"], where)
    done = run(command, where, False, TIDEMILL_INPUT_n="41", TIDEMILL_OUTPUT_out=str(tmp_path / "o"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o").read_text() == "42"
    assert sorted(path.name for path in where.rglob("*.py")) == ["cell_cell.py", "current.py", "entry.py"]


def test_a_functions_file_must_be_in_its_code_folder(tmp_path: Path) -> None:
    @step(code=tmp_path)
    def elsewhere() -> None: ...

    @pipeline
    def draws() -> None:
        elsewhere()

    with pytest.raises(ValidationError, match="is not in the code folder"):
        draws.draw().render()


_ = (InputFile, OutputFolder, Param)
