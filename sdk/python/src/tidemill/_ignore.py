"""Ignore rules of a code folder: `.gitignore`, and over it `.amlignore` and `.tidemillignore`, in any folder of it.

The rules are git's; where files of both kinds speak of a path, the last two win, as they do for the command line.
"""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["Rules"]

GIT_FILE = ".gitignore"
OWN_FILES = (".amlignore", ".tidemillignore")
# Folders that are never part of code: they change without the code changing.
NEVER_CODE = (".git", "__pycache__")
FILE_BYTES_MAX = 1024 * 1024


class _Pattern:
    """One line of an ignore file."""

    def __init__(self, regex: re.Pattern[str], ignores: bool, folders_only: bool) -> None:
        self.regex = regex
        self.ignores = ignores
        self.folders_only = folders_only

    @classmethod
    def parse(cls, line: str) -> _Pattern | None:
        line = line.rstrip("\r\n")
        if line.startswith("#"):
            return None
        while line.endswith(" ") and not line.endswith("\\ "):
            line = line[:-1]
        ignores = not line.startswith("!")
        if not ignores:
            line = line[1:]
        folders_only = line.endswith("/")
        line = line.rstrip("/") if folders_only else line
        if not line:
            return None
        is_anchored = "/" in line
        line = line.removeprefix("/")
        prefix = "" if is_anchored else "(?:.*/)?"
        regex = _regex(line)
        if regex is None:
            return None
        return cls(re.compile(prefix + regex + r"\Z", re.DOTALL), ignores, folders_only)


def _regex(glob: str) -> str | None:
    """The glob as an expression; nothing for one that fits no name."""
    out: list[str] = []
    at = 0
    while at < len(glob):
        rest = glob[at:]
        if rest.startswith("**/") and (at == 0 or glob[at - 1] == "/"):
            out.append("(?:.*/)?")
            at += 3
        elif rest == "**" and (at == 0 or glob[at - 1] == "/"):
            out.append(".+")
            at += 2
        elif rest[0] == "*":
            out.append("[^/]*")
            at += 1
        elif rest[0] == "?":
            out.append("[^/]")
            at += 1
        elif rest[0] == "[":
            choice = _choice(rest)
            if choice is None:
                return None
            out.append(choice[0])
            at += choice[1]
        elif rest[0] == "\\" and len(rest) > 1:
            out.append(re.escape(rest[1]))
            at += 2
        else:
            out.append(re.escape(rest[0]))
            at += 1
    return "".join(out)


def _choice(text: str) -> tuple[str, int] | None:
    """`[a-z]` and its like, and how long it is; nothing for a bracket that is never closed."""
    start = 2 if text[1:2] in ("!", "^") else 1
    end = text.find("]", start + 1)
    if end < 0:
        return None
    inside = text[start:end].replace("\\", "\\\\").replace("[", "\\[")
    negated = "^/" if start == 2 else ""
    return f"[{negated}{inside}]", end + 1


class Rules:
    """The rules that hold in one folder of a tree: its own over those of the folders around it."""

    def __init__(self, folder: Path, outer: Rules | None = None, depth: int = 0) -> None:
        self._outer = outer
        # How much of a path below the root is the way to this folder.
        self._depth = depth
        self._git = _read(folder / GIT_FILE)
        self._own = [pattern for name in OWN_FILES for pattern in _read(folder / name)]

    def inner(self, folder: Path) -> Rules:
        """The rules of a folder in this one."""
        return Rules(folder, self, self._depth + 1)

    def ignore(self, path: tuple[str, ...], is_folder: bool) -> bool:
        """Whether this file or folder, by its path below the root, is left out."""
        if is_folder and path[-1] in NEVER_CODE:
            return True
        if not is_folder and path[-1] in NEVER_CODE:
            return True
        own = self._verdict("_own", path, is_folder)
        verdict = own if own is not None else self._verdict("_git", path, is_folder)
        return bool(verdict)

    def _verdict(self, kind: str, path: tuple[str, ...], is_folder: bool) -> bool | None:
        patterns: list[_Pattern] = getattr(self, kind)
        below = "/".join(path[self._depth :])
        for pattern in reversed(patterns):
            if (is_folder or not pattern.folders_only) and pattern.regex.match(below):
                return pattern.ignores
        return self._outer._verdict(kind, path, is_folder) if self._outer else None


def _read(path: Path) -> list[_Pattern]:
    if not path.is_file():
        return []
    with path.open("rb") as file:
        text = file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    found = [_Pattern.parse(line) for line in text.removeprefix("\ufeff").split("\n")]
    return [pattern for pattern in found if pattern is not None]
