"""`azureml.core.databricks`: known, so that its import is not what fails; a DatabricksStep is refused with what to do instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["EggLibrary", "JarLibrary", "MavenLibrary", "PyPiLibrary", "RCranLibrary"]


class PyPiLibrary:
    """A package of Python."""

    def __init__(self, package: str | None = None, repo: str | None = None) -> None:
        self.package = package
        self.repo = repo


class RCranLibrary(PyPiLibrary):
    """A package of R."""


class MavenLibrary:
    """A package of Java."""

    def __init__(self, coordinates: str | None = None, repo: str | None = None, exclusions: Any = None) -> None:
        self.coordinates = coordinates
        self.repo = repo
        self.exclusions = exclusions


@dataclass
class JarLibrary:
    """A file of Java."""

    library: str | None = None


class EggLibrary(JarLibrary):
    """A file of Python."""
