"""How Python values are written in requests and pipeline files."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fresh_key", "literal_text", "parameter_texts", "start_request"]


def fresh_key() -> str:
    """A key under which a request that is sent twice has its effect once."""
    return str(uuid.uuid4())


@runtime_checkable
class Versioned(Protocol):
    """A version of an asset."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


def literal_text(value: object) -> str:
    """A literal as the language spells it; of a version of data or of a model its name."""
    if isinstance(value, Versioned):
        return f"azureml:{value.name}:{value.version}"
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, (int, float, str)):
        return str(value)
    raise ValidationError(
        f"{value!r} is no value for a parameter",
        code="bad_value",
        hint="give text, a number or a truth value",
    )


def parameter_texts(parameters: Mapping[str, Any] | None) -> dict[str, str]:
    """Values of parameters as texts. None leaves a parameter out."""
    given = (parameters or {}).items()
    return {name: literal_text(value) for name, value in given if value is not None}


def parameter_values(parameters: Mapping[str, Any] | None) -> dict[str, str | os.PathLike[str]]:
    """The same; paths stay paths."""
    given = (parameters or {}).items()
    return {
        name: value if isinstance(value, os.PathLike) else literal_text(value)
        for name, value in given
        if value is not None
    }


def start_request(parameters: Mapping[str, Any] | None, **said: Any) -> dict[str, Any]:
    """What starts a run of something that the coordinator keeps. What is None is left out; a key under which it is started once is made where none is given."""
    said["idempotency_key"] = said.get("idempotency_key") or fresh_key()
    said["tags"] = dict(said.get("tags") or {})
    body = {"parameters": parameter_texts(parameters), **said}
    return {key: value for key, value in body.items() if value is not None}
