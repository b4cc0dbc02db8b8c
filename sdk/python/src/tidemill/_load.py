"""A pipeline file, or one that was drawn in Python, as a submission: the coordinator reads it and asks for what it refers to.

A coordinator is told only of what the pipeline's own text names: what it asks for beyond that is refused, so that nobody who answers for a coordinator can
read other files of this machine. What the text means is the coordinator's business.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill._config import workspace_texts
from tidemill._contents import as_files, send
from tidemill._http import problem
from tidemill._scan import Entry, Scan, Source, scan
from tidemill.errors import ConflictError, NotFoundError, Problem, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidemill._http import Http

__all__ = ["Loaded", "Rendered", "check", "from_file", "load"]

TEXT_BYTES_MAX = 1024 * 1024
PATH_BYTES_MAX = 4096
ROUNDS_MAX = 100


@dataclass(frozen=True)
class Rendered:
    """A pipeline as text, and where the paths in it lead."""

    # The path that messages show, and from whose folder relative paths count; it need not exist.
    file: str
    text: str
    # The folder that relative paths stand in: that of the last but one segment of `file`.
    root: Path
    # What stands at paths that are no files of this machine.
    sources: Mapping[str, Source] = field(default_factory=dict)
    # Whether it is a component's file.
    component: bool = False


@dataclass(frozen=True)
class Loaded:
    """What a submission takes."""

    spec: dict[str, Any]
    parameters: dict[str, str]
    warnings: list[Problem]


def from_file(path: Path, *, component: bool = False) -> Rendered:
    """A pipeline or component file of this machine."""
    if not path.is_file():
        inside = path / "pipeline.yml"
        hint = (
            f"did you mean {inside}?" if inside.is_file() else "`tidemill init` writes a small pipeline to start from"
        )
        what = f"{path} is a folder, not a pipeline file" if path.is_dir() else f"there is no file {path}"
        raise NotFoundError(what, code="not_found", hint=hint)
    real = path.resolve()
    # The folder's name is part of the path, because a file called pipeline.yml goes by it.
    return Rendered(
        file=f"{real.parent.name or '.'}/{real.name}", text=_text(real), root=real.parent.parent, component=component
    )


def load(http: Http, rendered: Rendered, parameters: Mapping[str, str | os.PathLike[str]]) -> Loaded:
    """Tells the coordinator of all that it needs, and answers with the submission."""
    return _told(_Telling(http, rendered, parameters, scan))


def check(http: Http, rendered: Rendered, parameters: Mapping[str, str | os.PathLike[str]]) -> list[Problem]:
    """What is worth knowing of a pipeline that is sound. Of its code and data nothing is read: they are told of as if they were empty."""
    return _told(_Telling(http, rendered, parameters, _as_if_empty)).warnings


def _told(telling: _Telling) -> Loaded:
    for _ in range(ROUNDS_MAX):
        answer = telling.ask()
        needs = answer["needs"]
        if not needs:
            return Loaded(
                spec=answer["spec"],
                parameters=answer.get("parameters", {}),
                warnings=[problem(found) for found in answer.get("warnings", [])],
            )
        telling.tell(needs)
    raise ValidationError("the coordinator asks for ever more files", code="too_deep")


class _Telling:
    """What the coordinator has been told of so far."""

    def __init__(
        self,
        http: Http,
        rendered: Rendered,
        parameters: Mapping[str, str | os.PathLike[str]],
        read: Callable[..., Scan],
    ) -> None:
        self._http = http
        self._rendered = rendered
        self._read = read
        self._scans: dict[tuple[str, str], Scan] = {}
        # The texts that were told, and the paths that they name.
        self._texts: list[str] = []
        self._named: list[set[str]] = []
        folder = (rendered.root / rendered.file).parent
        layers = workspace_texts(folder)
        for path, text in layers:
            self._know(path.parent, text)
        self._own_paths = {_plain(str(folder / os.fspath(value))) for value in parameters.values()}
        self._own_paths |= {_plain(os.fspath(value)) for value in parameters.values()}
        self.request: dict[str, Any] = {
            "file": rendered.file,
            **({"component": True} if rendered.component else {}),
            "texts": [],
            "workspace": [{"path": str(path), "text": text} for path, text in layers],
            "sources": [],
            "absent": [],
            "parameters": {name: _parameter(value) for name, value in parameters.items()},
        }
        self._add_text(rendered.file, rendered.text)

    def ask(self) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = self._http.json(
                "POST", "/api/v1/pipelines/load", body=self.request, repeatable=True
            )
        except ConflictError:
            # A file was swept from the store between the question and now: it is sent again, once.
            send(self._http, [entry for found in self._scans.values() for entry in found.entries])
            answer = self._http.json("POST", "/api/v1/pipelines/load", body=self.request, repeatable=True)
        return answer

    def tell(self, needs: list[dict[str, Any]]) -> None:
        wanted = []
        for need in needs:
            path, role = need["path"], need["role"]
            source = self._rendered.sources.get(path) or self._real(path)
            if source is None:
                self.request["absent"].append(path)
            elif role == "text":
                assert source.path is not None
                self._add_text(path, _text(source.path))
            elif not need["files"]:
                self.request["sources"].append({"path": path, "role": role, "folder": source.is_folder})
            else:
                found = self._read(source, code=role == "code")
                self._scans[(path, role)] = found
                wanted += found.entries
                told = next(s for s in self.request["sources"] if (s["path"], s["role"]) == (path, role))
                told.update(as_files(found))
        if wanted:
            send(self._http, wanted)

    def _add_text(self, path: str, text: str) -> None:
        self.request["texts"].append({"path": path, "text": text})
        self._know((self._rendered.root / path).parent, text)

    def _know(self, folder: Path, text: str) -> None:
        self._texts.append(text)
        self._named.append(paths_named(text, _plain(str(folder))))

    def _real(self, path: str) -> Source | None:
        """What stands at a path, if the pipeline names it; nothing if there is nothing."""
        real = _plain(os.path.join(self._rendered.root, path))  # noqa: PTH118 - `..` stays as written
        if not self._is_named(real):
            raise ValidationError(
                f"the coordinator asks for {real}, which the pipeline does not name",
                code="not_named",
                hint="is this the coordinator that you mean?",
            )
        return Source(Path(real)) if Path(real).exists() else None

    def _is_named(self, real: str) -> bool:
        if real in self._own_paths or any(real in named for named in self._named):
            return True
        # A path in a datastore is put together: its folder of the settings, and the rest of the pipeline's.
        parts = real.split("/")
        for end in range(1, len(parts)):
            folder, rest = "/".join(parts[:end]) or "/", "/".join(parts[end:])
            if any(folder in named for named in self._named) and any(f"/paths/{rest}" in text for text in self._texts):
                return True
        return False


def _as_if_empty(source: Source, *, code: bool) -> Scan:  # noqa: ARG001 - as `scan` is called
    return Scan([] if source.is_folder else [Entry(None, sha256().hexdigest(), 0, False, b"")], [])


def paths_named(text: str, folder: str) -> set[str]:
    """Every path that the text may name, however it is written there. Paths count from the folder."""
    words = set(re.findall(r"""[^\s"'`,\[\]{}()]+""", text))
    words.update(re.findall(r'"([^"\n]*)"', text), re.findall(r"'([^'\n]*)'", text))
    # Without quotes a path with spaces in it is the rest of its line.
    words.update(re.findall(r"^\s*(?:-\s+)*(?:[^\s:]+:\s+)?(.+?)(?:\s+#.*)?\s*$", text, re.MULTILINE))
    # In braces and brackets it ends at a comma or their end.
    words.update(re.findall(r"(?::\s|[\[{,])\s*([^,\[\]{}\n\"']+?)\s*(?=[,\]}\n]|$)", text))
    words.update([word.rpartition(": ")[2] for word in words])
    bare = {re.sub(r"^file:(?://)?", "", word) for word in words if len(word) <= PATH_BYTES_MAX}
    return {os.path.normpath(os.path.join(folder, word)) for word in bare}  # noqa: PTH118 - texts, not paths yet


def _plain(path: str) -> str:
    return os.path.normpath(Path(path).absolute() if not path.startswith("/") else path)


def _parameter(value: str | os.PathLike[str]) -> str:
    return value if isinstance(value, str) else str(Path(os.fspath(value)).absolute())


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise ValidationError(f"cannot read {path}: {error}", code="bad_source") from error
    if len(data) > TEXT_BYTES_MAX:
        raise ValidationError(f"{path} is larger than 1 MiB", code="too_large")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ValidationError(f"{path} is not UTF-8", code="bad_text") from error
