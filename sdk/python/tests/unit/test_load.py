from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Fake, Request, answer, http_of
from tidemill import NotFoundError, ValidationError
from tidemill._load import check, from_file, load, paths_named

LOAD = "/api/v1/pipelines/load"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Reader:
    """Plays the coordinator: needs are written down in the order in which they are asked for."""

    def __init__(self, *needs: list[dict[str, Any]]) -> None:
        self.needs = list(needs)
        self.told: dict[str, Any] = {}
        self.stored: dict[str, bytes] = {}
        self.warnings: list[dict[str, Any]] = []
        self.fake = Fake().on("POST", LOAD, self._load).on("POST", "/api/v1/contents/missing", self._missing)

    def _load(self, request: Request) -> Answer:
        self.told = request.json
        needs = self.needs.pop(0) if self.needs else []
        sound = {"needs": [], "spec": {"name": "p"}, "parameters": {"rate": "1"}, "warnings": self.warnings}
        return answer({"needs": needs} if needs else sound)

    def _missing(self, request: Request) -> Answer:
        for name in request.json["sha256"]:
            self.fake.on("PUT", f"/api/v1/contents/{name}", self._store)
        return answer({"missing": request.json["sha256"]})

    def _store(self, request: Request) -> Answer:
        self.stored[request.path.rsplit("/", 1)[1]] = request.body
        return answer({})


def need(path: str, role: str = "text", files: bool = False) -> dict[str, Any]:
    return {"path": path, "role": role, "files": files}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "proj"
    (folder / "parts").mkdir(parents=True)
    (tmp_path / "shared").mkdir()
    (folder / "pipeline.yml").write_text(
        "jobs:\n  a:\n    component: ./parts/a.yml\n    inputs: {x: {path: my data.csv}}\n"
    )
    (folder / "parts/a.yml").write_text('code: "../../shared/"\ncommand: echo\n')
    (folder / "my data.csv").write_text("1")
    (tmp_path / "shared/a.py").write_text("print()")
    (folder / "secret.txt").write_text("secret")
    return folder


def test_each_need_is_told_of_and_files_are_sent_once_the_pipeline_is_sound(project: Path) -> None:
    reader = Reader(
        [need("proj/parts/a.yml")],
        [need("shared", "code"), need("proj/my data.csv", "data")],
        [need("shared", "code", True), need("proj/my data.csv", "data", True)],
    )
    loaded = load(http_of(reader.fake), from_file(project / "pipeline.yml"), {})
    assert loaded.parameters == {"rate": "1"}
    assert [text["path"] for text in reader.told["texts"]] == ["proj/pipeline.yml", "proj/parts/a.yml"]
    code, data = reader.told["sources"]
    assert (code["path"], code["role"], code["folder"]) == ("shared", "code", True)
    assert [(file["path"], file["size_bytes"]) for file in code["files"]] == [("a.py", 7)]
    assert "path" not in data["files"][0]
    assert sorted(reader.stored.values()) == [b"1", b"print()"]


def test_nothing_is_sent_for_a_check(project: Path) -> None:
    files = [("shared", "code"), ("proj/my data.csv", "data")]
    needs = ([need(*found, is_files) for found in files] for is_files in (False, True))
    reader = Reader([need("proj/parts/a.yml")], *needs)
    reader.warnings = [{"code": "TM0712", "severity": "warning", "message": "nearly", "help": "so"}]
    (found,) = check(http_of(reader.fake), from_file(project / "pipeline.yml"), {})
    assert str(found) == "warning[TM0712]: nearly\n  help: so"
    assert list(reader.stored.values()) == [b""], "a file of nothing stands in for what is one file"
    assert [source["files"] for source in reader.told["sources"]] == [[], [{"sha256": EMPTY, "size_bytes": 0}]]


@pytest.mark.parametrize(
    "path", ["proj/secret.txt", "/etc/passwd", "..", ".", "proj", "shared/a.py", "proj/parts", "../../../etc/passwd"]
)
def test_a_coordinator_is_not_told_of_files_that_the_pipeline_does_not_name(project: Path, path: str) -> None:
    for role in ("text", "code", "data"):
        reader = Reader([need("proj/parts/a.yml")], [need(path, role)])
        with pytest.raises(ValidationError, match="which the pipeline does not name"):
            load(http_of(reader.fake), from_file(project / "pipeline.yml"), {})
        assert reader.stored == {}
        assert "secret\n" not in str(reader.told)


def test_what_is_not_there_is_told_of_as_absent(project: Path) -> None:
    (project / "parts/a.yml").unlink()
    reader = Reader([need("proj/parts/a.yml")])
    load(http_of(reader.fake), from_file(project / "pipeline.yml"), {})
    assert reader.told["absent"] == ["proj/parts/a.yml"]


def test_data_that_a_parameter_names_and_data_of_a_datastore_may_be_told_of(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = project.parent / "store"
    (store / "2026").mkdir(parents=True)
    (store / "2026/rows.csv").write_text("2")
    (project / "tidemill.toml").write_text(f'[datastores]\nblob = "{store}"\n')
    (project / "pipeline.yml").write_text('x: "azureml://datastores/blob/paths/2026/rows.csv"\n')
    monkeypatch.chdir(project)
    wanted = [need(str(store / "2026/rows.csv"), "data"), need(str(project / "secret.txt"), "data")]
    reader = Reader(wanted)
    check(http_of(reader.fake), from_file(Path("pipeline.yml")), {"raw": Path("secret.txt"), "rate": "1"})
    assert [source["path"] for source in reader.told["sources"]] == [entry["path"] for entry in wanted]
    assert reader.told["parameters"] == {"raw": str(project / "secret.txt"), "rate": "1"}
    assert reader.told["workspace"][0]["path"] == str(project / "tidemill.toml")
    other = Reader([need(str(store), "data")], [need(str(store / "2025/rows.csv"), "data")])
    with pytest.raises(ValidationError):
        load(http_of(other.fake), from_file(Path("pipeline.yml")), {})


def test_a_file_that_is_none_is_said_to_be_so(project: Path) -> None:
    with pytest.raises(NotFoundError, match=r"did you mean .*pipeline\.yml"):
        from_file(project)
    with pytest.raises(NotFoundError, match="there is no file"):
        from_file(project / "other.yml")
    (project / "big.yml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ValidationError, match="larger than 1 MiB"):
        from_file(project / "big.yml")
    (project / "latin.yml").write_bytes(b"a: \xe4")
    with pytest.raises(ValidationError, match="not UTF-8"):
        from_file(project / "latin.yml")


def test_a_coordinator_that_asks_for_ever_is_not_asked_for_ever(project: Path) -> None:
    reader = Reader(*[[need("proj/parts/a.yml")]] * 200)
    with pytest.raises(ValidationError, match="ever more"):
        load(http_of(reader.fake), from_file(project / "pipeline.yml"), {})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("code: src", "/p/src"),
        ("code: ./src/", "/p/src"),
        ("code: 'my src'   # comment", "/p/my src"),
        ("path: my data/x.csv  # comment", "/p/my data/x.csv"),
        ("- file:../x", "/x"),
        ("  - - path: file:///d/x y.csv", "/d/x y.csv"),
        ("{code: src, x: [a.csv]}", "/p/a.csv"),
        ('{"component":"/q/c.yml"}', "/q/c.yml"),
        ("    - -r requirements.txt", "/p/requirements.txt"),
        ("code: .", "/p"),
    ],
)
def test_a_path_is_found_however_it_is_written(text: str, path: str) -> None:
    assert os.path.normpath(path) in paths_named(f"a: b\n{text}\nc: d", "/p")
