"""Reads local files and folders: which files they have, and their SHA-256.

The same files count as for the command line: for code the ignore rules hold; links are followed only while they stay inside.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tidemill._ignore import Rules
from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Entry", "Scan", "Source", "scan"]

PIECE_BYTES = 1024 * 1024
FILES_MAX = 100_000
DEPTH_MAX = 64


@dataclass(frozen=True)
class Source:
    """A file or folder to read, and files that are put into the folder beside its own."""

    path: Path | None
    extra: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path is None or self.path.is_dir()


@dataclass(frozen=True)
class Entry:
    """One file that was read."""

    path: str | None
    sha256: str
    size_bytes: int
    executable: bool
    origin: Path | bytes

    def open(self) -> IO[bytes] | bytes:
        """Its bytes, to send."""
        return self.origin if isinstance(self.origin, bytes) else self.origin.open("rb")


@dataclass(frozen=True)
class Scan:
    """What was found."""

    entries: list[Entry]
    empty_folders: list[str]


def scan(source: Source, *, code: bool) -> Scan:
    """Reads a file or folder."""
    if source.path is not None and not source.path.is_dir():
        return Scan([_hashed(source.path, None)], [])
    entries: list[Entry] = []
    folders: set[str] = set()
    if source.path is not None:
        root = Path(os.path.realpath(source.path))
        _walk(_Walk(root, code, source.extra, entries, folders), root, (), Rules(root) if code else None)
    for name, data in source.extra.items():
        entries.append(Entry(name, hashlib.sha256(data).hexdigest(), len(data), False, data))
    entries.sort(key=lambda entry: (entry.path or "").encode())
    parents = {name.rpartition("/")[0] for name in [*folders, *(entry.path or "" for entry in entries)]}
    # Below ignore rules a folder may only look empty, and git keeps none either.
    empty = [] if code else sorted(folders - parents, key=str.encode)
    return Scan(entries, empty)


@dataclass
class _Walk:
    root: Path
    code: bool
    extra: Mapping[str, bytes]
    entries: list[Entry]
    folders: set[str]


def _walk(walk: _Walk, folder: Path, path: tuple[str, ...], rules: Rules | None) -> None:
    if len(path) > DEPTH_MAX:
        raise ValidationError(f"{folder} is nested more than {DEPTH_MAX} deep", code="too_deep")
    for found in sorted(os.scandir(folder), key=lambda found: found.name):
        here = (*path, found.name)
        name = "/".join(here)
        real = _target(walk, found, path)
        is_folder = real.is_dir()
        if rules is not None and rules.ignore(here, is_folder):
            continue
        if real != Path(found.path) and not real.is_relative_to(walk.root):
            raise ValidationError(
                f"{found.path} is a link that leads out of the folder",
                code="bad_source",
                hint="copy what it points to" + (", or name it in .tidemillignore" if walk.code else ""),
            )
        if is_folder:
            if folder.is_relative_to(real):
                raise ValidationError(f"{found.path} is a link that leads back to a folder above it", code="bad_source")
            walk.folders.add(name)
            _walk(walk, real, here, rules.inner(real) if rules is not None else None)
        elif name not in walk.extra:
            walk.entries.append(_hashed(real, name))
            if len(walk.entries) > FILES_MAX:
                raise ValidationError(
                    f"{walk.root} has more than {FILES_MAX} files",
                    code="too_large",
                    hint="name what is not needed in .tidemillignore, or a smaller folder",
                )


def _target(walk: _Walk, found: os.DirEntry[str], path: tuple[str, ...]) -> Path:
    try:
        found.name.encode()
    except UnicodeEncodeError as error:
        raise ValidationError(f"{found.path!r} has a name that is not UTF-8", code="bad_source") from error
    if not found.is_symlink():
        return Path(found.path)
    try:
        return Path(found.path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        # What the rules leave out may lead nowhere.
        if walk.code and Rules(walk.root).ignore((*path, found.name), False):
            return Path(found.path)
        raise ValidationError(f"cannot follow the link {found.path}: {error}", code="bad_source") from error


def _hashed(path: Path, name: str | None) -> Entry:
    try:
        with path.open("rb") as file:
            meta = os.fstat(file.fileno())
            if not stat.S_ISREG(meta.st_mode):
                raise ValidationError(f"{path} is neither a file nor a folder", code="bad_source")
            digest = hashlib.sha256()
            size = 0
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
                size += len(piece)
    except OSError as error:
        raise ValidationError(f"cannot read {path}: {error}", code="bad_source") from error
    return Entry(name, digest.hexdigest(), size, bool(meta.st_mode & stat.S_IXUSR), path)
