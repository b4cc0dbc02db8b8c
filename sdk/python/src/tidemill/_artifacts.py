"""Artifacts: immutable files and folders that steps made. What is read is checked against the name that the content has in the run's journal.

With the package `blake3` that check needs nobody; without it the server is asked for the SHA-256 of what it sends (it checks the content's own name while it computes
that), and the bytes are checked against it here.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Protocol

from tidemill._http import PIECE_BYTES, part
from tidemill._pandas import pandas_or
from tidemill.errors import DigestMismatchError, NotFoundError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tidemill._http import Http, Response

__all__ = ["Artifact"]

FILE_MODE = 0o644
EXECUTABLE_MODE = 0o755


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


def _blake3() -> Callable[[], _Hash] | None:
    try:
        import blake3
    except ImportError:
        return None
    made: Callable[[], _Hash] = blake3.blake3
    return made


class Artifact:
    """A file or a folder in the store.

    A folder's files are found by path: `artifact["a/b.csv"]`, or by iterating over it.
    """

    def __init__(self, http: Http, reference: Mapping[str, Any], name: str) -> None:
        self._http = http
        self._reference = dict(reference)
        self._tree: dict[str, Artifact] | None = None
        self._empty_folders: list[str] = []
        self._executable = False
        self.name = name

    @property
    def kind(self) -> str:
        """`blob` for a file, `tree` for a folder."""
        return str(self._reference["kind"])

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.kind == "tree"

    @property
    def digest(self) -> str:
        """The name of its content: BLAKE3, in hexadecimal digits."""
        return str(self._reference["digest"])

    @property
    def size_bytes(self) -> int:
        """The length of all its files together."""
        return int(self._reference["size_bytes"])

    @property
    def files(self) -> int:
        """How many files it has."""
        return int(self._reference["files"])

    @property
    def reference(self) -> dict[str, Any]:
        """It as the API names it."""
        return dict(self._reference)

    def __repr__(self) -> str:
        return f"<Artifact {self.name} {self.kind} {self.digest[:12]} {self.size_bytes} bytes>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Artifact) and self.digest == other.digest and self.kind == other.kind

    def __hash__(self) -> int:
        return hash(self.digest)

    def __iter__(self) -> Iterator[Artifact]:
        """The files of a folder in the order of their paths; a file by itself."""
        return iter(self._entries().values()) if self.is_folder else iter([self])

    def __getitem__(self, path: str) -> Artifact:
        """One file of a folder, or a folder's part with all that is below a path."""
        entries = self._entries()
        if path in entries:
            return entries[path]
        raise NotFoundError(
            f"{self.name} has no file `{path}`",
            code="not_found",
            hint=f"it has {', '.join(list(entries)[:10]) or 'none'}",
        )

    def paths(self) -> list[str]:
        """The paths of a folder's files."""
        return list(self._entries())

    def open(self) -> BinaryIO:
        """A file's bytes, to read. Checked as they are read: the last ones come only if all are right."""
        if self.is_folder:
            raise ValidationError(
                f"{self.name} is a folder",
                code="is_folder",
                hint='open one of its files: artifact["PATH"].open()',
            )
        return io.BufferedReader(_Checked(self._http, self.digest, self.size_bytes), PIECE_BYTES)

    def read_bytes(self) -> bytes:
        """A file's bytes."""
        with self.open() as file:
            return file.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        """A file's text."""
        return self.read_bytes().decode(encoding)

    def download(self, to: str | os.PathLike[str] | None = None) -> Path:
        """Brings it to this machine and answers where it is.

        `to` is the path of the file or folder to make; below the present folder, by the output's name, when absent. Nothing that is there is written over: a
        file with the same path is an error.
        """
        place = Path(to) if to is not None else Path(self.name.rpartition("/")[2])
        if place.exists():
            raise ValidationError(f"{place} is there already", code="exists", hint="name another place, or remove it")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not self.is_folder:
            return self._download_file(place)
        draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        try:
            for path, entry in self._entries().items():
                target = draft / path
                target.parent.mkdir(parents=True, exist_ok=True)
                entry._download_file(target)
            for folder in self._empty_folders:
                (draft / folder).mkdir(parents=True, exist_ok=True)
            draft.chmod(EXECUTABLE_MODE)
            draft.rename(place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return place

    def to_pandas(self, **options: Any) -> Any:
        """A file as a data frame, by the end of its name: .csv, .json, .jsonl or .parquet; needs pandas."""
        pandas = pandas_or("read the file: artifact.open()")
        ending = self.name.rpartition(".")[2].lower()
        readers: dict[str, Any] = {"csv": pandas.read_csv, "json": pandas.read_json, "parquet": pandas.read_parquet}
        if ending == "jsonl":
            ending, options = "json", {"lines": True, **options}
        if ending not in readers:
            raise ValidationError(
                f"{self.name} does not say by its name what it is",
                code="unknown_format",
                hint="pandas.read_…(artifact.open())",
            )
        return readers[ending](io.BytesIO(self.read_bytes()), **options)

    def _download_file(self, place: Path) -> Path:
        draft = tempfile.NamedTemporaryFile(prefix=f".{place.name}.", dir=place.parent, delete=False)  # noqa: SIM115
        try:
            with draft, self.open() as source:
                shutil.copyfileobj(source, draft, PIECE_BYTES)
            Path(draft.name).chmod(EXECUTABLE_MODE if self._executable else FILE_MODE)
            Path(draft.name).rename(place)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
        return place

    def _entries(self) -> dict[str, Artifact]:
        if not self.is_folder:
            raise ValidationError(f"{self.name} is a file", code="is_file")
        if self._tree is None:
            tree = self._http.json("GET", f"/api/v1/trees/{part(self.digest)}")
            self._tree = {}
            for entry in tree["entries"]:
                reference = {
                    "kind": "blob",
                    "digest": entry["digest"],
                    "size_bytes": entry["size_bytes"],
                    "files": 1,
                }
                found = Artifact(self._http, reference, f"{self.name}/{entry['path']}")
                found._executable = bool(entry["executable"])
                self._tree[_safe(entry["path"])] = found
            self._empty_folders = [_safe(folder) for folder in tree.get("empty_folders", [])]
        return self._tree


def _safe(path: str) -> str:
    """A path of a folder's manifest, which the server has checked; a second look costs nothing."""
    parts = path.split("/")
    if not path or "\0" in path or any(name in ("", ".", "..") for name in parts):
        raise DigestMismatchError(f"a folder names the path {path!r}, which leads out of it", code="bad_tree")
    return path


class _Checked(io.RawIOBase):
    """The bytes of a blob, checked as they come."""

    def __init__(self, http: Http, digest: str, size_bytes: int) -> None:
        super().__init__()
        made = _blake3()
        self._expected = digest
        headers = {}
        if made is None:
            headers["want-repr-digest"] = "sha-256=1"
        self._response: Response = http.open("GET", f"/api/v1/blobs/{part(digest)}", headers=headers, timeout=None)
        if made is None:
            self._hash: _Hash = hashlib.sha256()
            self._expected = _announced(self._response)
        else:
            self._hash = made()
        self._left = size_bytes
        self._held = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._next(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._response.close()
        super().close()

    def _next(self, amount: int) -> bytes:
        """The next bytes, one piece behind those that were checked."""
        while not self._ended:
            piece = self._response.read(amount)
            if piece:
                self._hash.update(piece)
                self._left -= len(piece)
                ready, self._held = self._held, piece
                if ready:
                    return self._hand_out(ready, amount)
                continue
            self._ended = True
            if self._left != 0 or self._hash.hexdigest() != self._expected:
                self._held = b""
                raise DigestMismatchError(
                    "the bytes that arrived are not those that were stored",
                    code="digest_mismatch",
                    hint="read them again",
                )
        ready, self._held = self._held, b""
        return self._hand_out(ready, amount)

    def _hand_out(self, data: bytes, amount: int) -> bytes:
        if len(data) > amount:
            data, rest = data[:amount], data[amount:]
            self._held = rest + self._held
        return data


def _announced(response: Response) -> str:
    """The SHA-256 that the server gives for what it sends."""
    header = response.headers.get("repr-digest", "")
    for item in header.split(","):
        name, _, value = item.strip().partition("=")
        if name == "sha-256" and value.startswith(":") and value.endswith(":"):
            return base64.b64decode(value.strip(":")).hex()
    response.close()
    raise DigestMismatchError(
        "the server does not say which bytes it sends",
        code="no_digest",
        hint="it is older than this package: pip install blake3 to check without it",
    )


def copy_to(source: BinaryIO, target: IO[bytes]) -> None:
    """Copies a stream to its end."""
    shutil.copyfileobj(source, target, PIECE_BYTES)
