"""Names of azureml, which may hold nearly anything, as names of tidemill."""

from __future__ import annotations

import re

__all__ = ["as_name", "as_port", "as_step"]

NAME_CHARS_MAX = 128


def as_name(text: str, otherwise: str = "unnamed") -> str:
    """The name of a pipeline, an experiment, an asset: letters, digits, `.`, `_` and `-`, a letter or digit first."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", text.strip()).strip("-._")
    return kept[:NAME_CHARS_MAX] or otherwise


def as_step(text: str) -> str:
    """The name of a step: letters, digits, `_` and `-`, a letter first."""
    kept = re.sub(r"[^A-Za-z0-9_]+", "_", text.strip()).strip("_")
    return _led(kept, "step")


def as_port(text: str) -> str:
    """The name of an input, an output or a parameter: letters, digits and `_`, no digit first."""
    return _led(re.sub(r"[^A-Za-z0-9_]+", "_", text.strip()), "port")


def _led(kept: str, otherwise: str) -> str:
    if not kept:
        return otherwise
    return (f"{otherwise}_{kept}" if kept[0].isdigit() else kept)[:NAME_CHARS_MAX]
