from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tidemill._scan import Source, scan
from tidemill.errors import ValidationError

PATTERNS = [
    "*.log", "build/", "/top.txt", "a/b", "**/deep", "deep/**", "x/**/y", "!keep.log", "*.py[co]", "[a-c].txt", "[!a-c].dat",
    "#not a comment only", "\\#hash", "\\!bang", "trailing  ", "space\\ ", "foo?bar", "**", "!*/", "dir/*.csv", "/", "a**b", "[", "café*",
    "*.tmp\n!important.tmp\n/important.tmp/", "out\n!out/keep", "*\n!*.txt\n!*/",
]  # fmt: skip
NAMES = [
    "a.log", "keep.log", "top.txt", "sub/top.txt", "a/b/c", "sub/a/b", "deep/one", "x/deep/two", "x/y", "x/1/2/y", "m.pyc", "a.txt", "d.txt", "d.dat",
    "#hash", "!bang", "trailing", "space ", "foo1bar", "dir/a.csv", "dir/sub/a.csv", "acb", "[", "cafés", "b.tmp", "important.tmp", "out/keep", "out/other",
    "build/x", "sub/build/y", "build.txt", "#not a comment only",
]  # fmt: skip


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def paths(folder: Path, *, code: bool = True) -> list[str]:
    return [entry.path or "" for entry in scan(Source(folder), code=code).entries]


@pytest.mark.parametrize("text", PATTERNS)
def test_ignore_rules_are_gits(tmp_path: Path, text: str) -> None:
    git = shutil.which("git")
    assert git is not None, "git judges this test"
    folder = tmp_path / "code"
    write(folder, *NAMES)
    (folder / ".gitignore").write_text(text + "\n")
    subprocess.run([git, "init", "-q", str(folder)], check=True)
    listed = [git, "-c", "core.quotepath=off", "-C", str(folder), "ls-files", "-z", "--others", "--exclude-standard"]
    told = subprocess.run(listed, check=True, capture_output=True, text=True).stdout
    expected = sorted((name for name in told.split("\0") if name), key=str.encode)
    assert paths(folder) == expected


def test_our_own_ignore_files_win_over_gits_in_any_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        "data/big.csv",
        "data/small.csv",
        "notes.md",
        "sub/x.tmp",
        "__pycache__/m.pyc",
        "sub/__pycache__/m.pyc",
    )
    (tmp_path / ".gitignore").write_text("data/*.csv\n*.md\n")
    (tmp_path / ".amlignore").write_text("!notes.md\n*.tmp\n")
    (tmp_path / ".tidemillignore").write_text("!small.csv\n")
    assert paths(tmp_path) == [".amlignore", ".gitignore", ".tidemillignore", "data/small.csv", "notes.md"]
    assert "data/big.csv" in paths(tmp_path, code=False), "data is taken whole"


def test_files_are_named_by_their_bytes_and_one_bit_of_their_mode(tmp_path: Path) -> None:
    write(tmp_path, "run.sh", "größe/日本.txt")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "empty/inner").mkdir(parents=True)
    found = scan(Source(tmp_path), code=False)
    assert [(entry.path, entry.executable) for entry in found.entries] == [("größe/日本.txt", False), ("run.sh", True)]
    assert found.entries[1].sha256 == hashlib.sha256(b"run.sh").hexdigest()
    assert found.empty_folders == ["empty/inner"]
    assert scan(Source(tmp_path), code=True).empty_folders == []


def test_links_are_followed_inside_and_refused_outside(tmp_path: Path) -> None:
    code = tmp_path / "code"
    write(code, "real/a.txt")
    (code / "link").symlink_to("real")
    assert paths(code) == ["link/a.txt", "real/a.txt"]
    write(tmp_path, "secret.txt")
    (code / "leak").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ValidationError, match="leads out of the folder"):
        paths(code)
    (code / ".tidemillignore").write_text("leak\n")
    assert paths(code) == [".tidemillignore", "link/a.txt", "real/a.txt"]
    (code / "real/loop").symlink_to(code)
    with pytest.raises(ValidationError, match="leads back"):
        paths(code)


def test_a_file_by_itself_and_files_that_are_put_beside_others(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.txt")
    single = scan(Source(tmp_path / "a.txt"), code=False)
    assert [(entry.path, entry.size_bytes) for entry in single.entries] == [(None, 5)]
    mixed = scan(Source(tmp_path, {"b.txt": b"ours", "_x/c.py": b"c"}), code=True)
    assert [(entry.path, entry.size_bytes) for entry in mixed.entries] == [("_x/c.py", 1), ("a.txt", 5), ("b.txt", 4)]
