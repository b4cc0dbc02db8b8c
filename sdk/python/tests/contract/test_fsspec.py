from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pandas
import pytest

import tidemill
from tidemill._fsspec import TidemillFileSystem

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
YAML = """
type: pipeline
jobs:
  prep:
    command: |
      printf 'a,b\\n1,2\\n' > ${{outputs.rows}}/first.csv
      mkdir ${{outputs.rows}}/deep && printf 'a,b\\n3,4\\n' > ${{outputs.rows}}/deep/second.csv
      echo done > ${{outputs.note}}
    outputs: {rows: {type: uri_folder}, note: {type: uri_file}}
"""


@pytest.fixture
def files(server: tidemill.Local, tmp_path: Path) -> tuple[Any, str, dict[str, str]]:
    (tmp_path / "prep.yml").write_text(YAML)
    run = server.submit(tmp_path / "prep.yml").wait(timeout=120)
    # What the entry point does where the package is installed.
    assert 'tidemill = "tidemill._fsspec:TidemillFileSystem"' in PYPROJECT.read_text()
    fsspec.register_implementation("tidemill", TidemillFileSystem, clobber=True)
    options = {"url": server.url, "token": server._http.config.token or ""}
    return fsspec.filesystem("tidemill", **options), f"{run.id}/prep", options


def test_runs_are_folders_of_steps_with_their_outputs(files: tuple[Any, str, dict[str, str]]) -> None:
    system, step, _ = files
    run = step.partition("/")[0]
    assert isinstance(system, TidemillFileSystem)
    assert system.ls(run, detail=False) == [step]
    assert {f"{step}/note", f"{step}/rows"} <= set(system.ls(f"tidemill://{step}", detail=False))
    assert system.ls(f"{step}/rows/", detail=False) == [f"{step}/rows/deep", f"{step}/rows/first.csv"]
    first = system.info(f"{step}/rows/first.csv")
    assert (first["type"], first["size"], len(first["digest"])) == ("file", 8, 64)
    assert system.info(f"{step}/rows/deep") == {"name": f"{step}/rows/deep", "size": 0, "type": "directory"}
    assert system.ls(f"{step}/note") == [system.info(f"{step}/note")]
    assert system.find(f"{step}/rows") == [f"{step}/rows/deep/second.csv", f"{step}/rows/first.csv"]
    assert system.glob(f"{step}/rows/**/*.csv") == system.find(f"{step}/rows")
    for missing in ("", "nobody", f"{run}/none", f"{step}/none", f"{step}/note/x", f"{step}/rows/first"):
        assert not system.exists(missing)
        with pytest.raises(FileNotFoundError):
            system.ls(missing)


def test_what_is_read_is_what_the_step_wrote(files: tuple[Any, str, dict[str, str]], tmp_path: Path) -> None:
    system, step, options = files
    assert system.cat(f"{step}/note") == b"done\n"
    assert system.cat_file(f"{step}/note", start=1, end=3) == b"on"
    with system.open(f"{step}/rows/first.csv", "rt") as file:
        assert file.readline() == "a,b\n"
        file.seek(0)
        assert file.read() == "a,b\n1,2\n"
    frame = pandas.read_csv(f"tidemill://{step}/rows/deep/second.csv", storage_options=options)
    assert frame.to_dict("records") == [{"a": 3, "b": 4}]
    system.get(f"{step}/rows", str(tmp_path / "brought"), recursive=True)
    assert (tmp_path / "brought/deep/second.csv").read_text() == "a,b\n3,4\n"
    with pytest.raises(IsADirectoryError):
        system.open(f"{step}/rows")
    with pytest.raises(tidemill.ValidationError, match="artifacts are only read"):
        system.open(f"{step}/note", "wb")
