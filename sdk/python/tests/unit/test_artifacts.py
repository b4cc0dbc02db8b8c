from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path
from typing import Any

import blake3
import pytest

from tests.fakes import Answer, Fake, Request, answer, http_of
from tidemill import DigestMismatchError, NotFoundError, ValidationError
from tidemill._artifacts import Artifact

LONG = bytes(range(256)) * 10_000


def blob_of(data: bytes, name: str = "train/model") -> tuple[str, dict[str, Any]]:
    digest = blake3.blake3(data).hexdigest()
    return f"/api/v1/blobs/{digest}", {"kind": "blob", "digest": digest, "size_bytes": len(data), "files": 1}


def with_digest(data: bytes, announced: bytes | None = None) -> Any:
    def serve(request: Request) -> Answer:
        assert request.headers["want-repr-digest"] == "sha-256=1"
        sha = base64.b64encode(hashlib.sha256(data if announced is None else announced).digest()).decode()
        return answer(data, repr_digest=f"sha-256=:{sha}:")

    return serve


@pytest.fixture(params=["blake3", "sha256"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "sha256":
        monkeypatch.setitem(sys.modules, "blake3", None)
    return str(request.param)


def served(way: str, path: str, data: bytes) -> Fake:
    return Fake().on("GET", path, answer(data) if way == "blake3" else with_digest(data))


@pytest.mark.parametrize("data", [b"", b"short", LONG])
def test_the_bytes_come_back_as_they_are(way: str, data: bytes) -> None:
    path, reference = blob_of(data)
    assert Artifact(http_of(served(way, path, data)), reference, "a").read_bytes() == data


def test_read_in_small_pieces_they_are_the_same(way: str) -> None:
    path, reference = blob_of(LONG)
    with Artifact(http_of(served(way, path, LONG)), reference, "a").open() as file:
        found = b"".join(iter(lambda: file.read(997), b""))
    assert found == LONG


def test_other_bytes_are_an_error_before_the_last_of_them_is_handed_out(tmp_path: Path, way: str) -> None:
    path, reference = blob_of(LONG)
    damaged = LONG[:-1] + b"!"
    fake = Fake().on("GET", path, answer(damaged) if way == "blake3" else with_digest(damaged, LONG))
    artifact = Artifact(http_of(fake), reference, "train/model")
    with pytest.raises(DigestMismatchError):
        artifact.read_bytes()
    with pytest.raises(DigestMismatchError):
        artifact.download(tmp_path / "model")
    assert list(tmp_path.iterdir()) == [], "nothing of it stays"


def test_without_blake3_a_server_that_does_not_say_what_it_sends_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "blake3", None)
    path, reference = blob_of(b"x")
    with pytest.raises(DigestMismatchError, match="does not say which bytes"):
        Artifact(http_of(Fake().on("GET", path, answer(b"x"))), reference, "a").read_bytes()


def folder(files: dict[str, bytes]) -> tuple[Fake, Artifact]:
    fake = Fake()
    entries = []
    for name, data in files.items():
        path, reference = blob_of(data)
        fake.on("GET", path, answer(data))
        entry = {
            "path": name,
            "digest": reference["digest"],
            "size_bytes": len(data),
            "executable": name.endswith(".sh"),
        }
        entries.append(entry)
    fake.on("GET", "/api/v1/trees/" + "0" * 64, answer({"entries": entries, "empty_folders": ["empty/inner"]}))
    reference = {"kind": "tree", "digest": "0" * 64, "size_bytes": sum(map(len, files.values())), "files": len(files)}
    return fake, Artifact(http_of(fake), reference, "train/model")


def test_a_folder_is_walked_and_downloaded_whole(tmp_path: Path) -> None:
    fake, artifact = folder({"a/b.csv": b"1,2", "run.sh": b"#!"})
    assert artifact.paths() == ["a/b.csv", "run.sh"]
    assert artifact["a/b.csv"].read_text() == "1,2"
    assert [found.name for found in artifact] == ["train/model/a/b.csv", "train/model/run.sh"]
    place = artifact.download(tmp_path / "out/model")
    assert (place / "a/b.csv").read_bytes() == b"1,2"
    assert (place / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (place / "empty/inner").is_dir()
    assert [found.name for found in (tmp_path / "out").iterdir()] == ["model"]
    with pytest.raises(ValidationError, match="is there already"):
        artifact.download(place)
    with pytest.raises(NotFoundError, match=r"it has a/b\.csv"):
        artifact["b.csv"]
    with pytest.raises(ValidationError, match="is a folder"):
        artifact.open()
    assert sum("/trees/" in path for path in fake.paths()) == 1


def test_a_folder_with_one_file_that_is_damaged_leaves_nothing(tmp_path: Path) -> None:
    fake, artifact = folder({"a": b"a", "b": b"b"})
    path, _ = blob_of(b"b")
    fake._table[("GET", path)] = [answer(b"c")]
    with pytest.raises(DigestMismatchError):
        artifact.download(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//x", ""])
def test_a_folder_that_leads_out_of_itself_is_not_written(tmp_path: Path, name: str) -> None:
    _, artifact = folder({name: b"x"})
    with pytest.raises(DigestMismatchError, match="leads out of it"):
        artifact.download(tmp_path / "model")


def test_tables_become_data_frames() -> None:
    pandas = pytest.importorskip("pandas")
    path, reference = blob_of(b"a,b\n1,2\n")
    frame = Artifact(http_of(Fake().on("GET", path, answer(b"a,b\n1,2\n"))), reference, "prep/rows.csv").to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.to_dict("records") == [{"a": 1, "b": 2}]
