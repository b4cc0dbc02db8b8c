"""Packages whose names are looked up where they live when they are first used, so that modules that need each other can be in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["lookup"]


def lookup(package: str, where: Mapping[str, str], names: dict[str, Any]) -> Callable[[str], Any]:
    """What a package's `__getattr__` is: `where` says in which module below it a name lives, `names` is its namespace."""

    def find(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(f"{package}.{where[name]}"), name)
        names[name] = found
        return found

    return find
