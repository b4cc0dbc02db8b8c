"""`tidemill://RUN/STEP/OUTPUT/PATH` for whoever reads through fsspec: `pandas.read_parquet("tidemill://last/prep/rows/part-1.parquet")`. Read only.

The package `fsspec` finds this by its entry point; nothing else of tidemill imports it.
"""

from __future__ import annotations

import tempfile
from typing import IO, Any

from fsspec.spec import AbstractFileSystem

from tidemill._artifacts import Artifact, copy_to
from tidemill._client import Client
from tidemill.errors import NotFoundError, ValidationError

__all__ = ["TidemillFileSystem"]


class TidemillFileSystem(AbstractFileSystem):
    """Runs as folders of their steps, those as folders of their outputs. RUN is an id, a unique beginning of one, or `last`.

    Without options it is the coordinator that `Client()` finds; `storage_options={"url": …, "token": …}` name another.
    """

    protocol = "tidemill"

    def __init__(
        self, url: str | None = None, token: str | None = None, client: Client | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self._client = client or Client(url, token)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """What is at a path: name, size and type, and of a file the name of its content as `digest`."""
        path = self._strip_protocol(path)
        file, _children = self._at(path)
        return _info(path, file)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """What a folder holds; of a file, the file."""
        path = self._strip_protocol(path)
        file, children = self._at(path)
        found = [_info(f"{path}/{name}", child) for name, child in sorted(children.items())]
        found = [_info(path, file)] if file is not None else found
        return found if detail else [entry["name"] for entry in found]

    def _open(self, path: str, mode: str = "rb", *_: Any, **__: Any) -> IO[bytes]:
        """A file, brought to this machine and checked first, so that readers can go back and forth in it."""
        if mode != "rb":
            raise ValidationError(
                "artifacts are only read",
                code="read_only",
                hint="what a step writes to its outputs becomes one; client.upload(PATH) brings a file",
            )
        file, _children = self._at(path)
        if file is None:
            raise IsADirectoryError(f"{path} is a folder")
        copied = tempfile.TemporaryFile()  # noqa: SIM115 - whoever opened it closes it
        try:
            with file.open() as source:
                copy_to(source, copied)
            copied.seek(0)
        except BaseException:
            copied.close()
            raise
        return copied

    def _at(self, path: str) -> tuple[Artifact | None, dict[str, Artifact | None]]:
        """The file at a path, or what the folder there holds, by name: files, and None for folders."""
        if not path:
            raise FileNotFoundError("name a run: tidemill://RUN/STEP/OUTPUT")
        name, *rest = path.split("/")
        try:
            run = self._client.runs.get(name)
            if not rest:
                return None, dict.fromkeys(run.steps)
            outputs = run[rest[0]].outputs
        except NotFoundError as error:
            raise FileNotFoundError(str(error)) from error
        if len(rest) == 1:
            return None, {name: None if output.is_folder else output for name, output in outputs.items()}
        if rest[1] not in outputs:
            raise FileNotFoundError(
                f"{name}/{rest[0]} has no output `{rest[1]}`: it has {', '.join(outputs) or 'none'}"
            )
        return _inside(outputs[rest[1]], "/".join(rest[2:]), path)


def _inside(artifact: Artifact, inner: str, path: str) -> tuple[Artifact | None, dict[str, Artifact | None]]:
    if not artifact.is_folder:
        if inner:
            raise FileNotFoundError(f"{path}: {artifact.name} is a file")
        return artifact, {}
    children: dict[str, Artifact | None] = {}
    for file in artifact.paths():
        if file == inner:
            return artifact[file], {}
        if not inner or file.startswith(inner + "/"):
            below = file.removeprefix(inner).removeprefix("/") if inner else file
            first, slash, _ = below.partition("/")
            children[first] = None if slash else artifact[file]
    if inner and not children:
        raise FileNotFoundError(f"{path} is no file of the artifact {artifact.name}")
    return None, children


def _info(path: str, file: Artifact | None) -> dict[str, Any]:
    if file is None:
        return {"name": path, "size": 0, "type": "directory"}
    return {"name": path, "size": file.size_bytes, "type": "file", "digest": file.digest}
