"""Names that outputs get in the catalog, and the rules that they keep. What a name means is the coordinator's business."""

from __future__ import annotations

import re

from tidemill.errors import ValidationError

__all__ = ["naming"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NAME_RULE = "has 1 to 128 letters, digits, `.`, `_` and `-`, the first a letter or digit"
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_VERSION_RULE = "has 1 to 64 letters, digits, `.`, `_`, `-` and `+`, the first a letter or digit"


def naming(name: str, version: str | int | None = None, label: str | None = None) -> dict[str, str]:
    """A name, with a version that is fixed and a label that is to point at it, in the words of pipeline files."""
    found = {"name": _kept(name, "name", _NAME, _NAME_RULE)}
    for what, value in (("version", version), ("label", label)):
        if value is not None:
            found[what] = _kept(str(value), what, _VERSION, _VERSION_RULE)
    return found


def _kept(text: str, what: str, pattern: re.Pattern[str], rule: str) -> str:
    text = str(text)
    if pattern.fullmatch(text):
        return text
    # A parameter of the pipeline, as text.
    rule = "is the same in every run, so it holds no parameter" if "${{" in text else rule
    raise ValidationError(f"{text!r} is no {what} for the catalog", code="bad_name", hint=f"a {what} {rule}")
