"""What goes into steps and comes out of them, whatever class of azureml said so. Every such class can tell what port it makes; steps and rendering know only these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from tidemill.azureml._names import as_port
from tidemill.azureml.exceptions import UserErrorException

if TYPE_CHECKING:
    from tidemill.azureml.pipeline.core.graph import PipelineParameter

__all__ = ["Given", "GivesInput", "GivesOutput", "Made", "Output", "data_type", "input_of", "mode_of", "output_of"]

FILES = "uri_file"
FOLDER = "uri_folder"
_MODES = {"mount": "ro_mount", "download": "download", "direct": "direct", "hdfs": "direct"}


@dataclass(frozen=True)
class Given:
    """An input: its name, what it is in the words of pipeline files, and what is bound to it."""

    name: str
    # Nothing where only the place says it, which may be filled later.
    type: str | None
    # A place, a parameter, or the object that the step before it makes.
    source: str | PipelineParameter | Made
    mode: str | None = None
    # How a table is read from it, where the script is handed a table and no path.
    table: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """What it is, as it stands now."""
        return self.type or (data_type(self.source) if isinstance(self.source, str) else FOLDER)

    def declaration(self) -> dict[str, Any]:
        """It as an input of a component."""
        return {"type": self.kind, **({"mode": self.mode} if self.mode and self.mode != "ro_mount" else {})}


@dataclass(frozen=True)
class Output:
    """An output: its name, what it is, and what becomes of it."""

    name: str
    type: str
    pipeline_output: str | None = None
    registered_as: str | None = None


class Made:
    """Something that a step makes, and by which later steps name it."""

    # The step that lists it among its outputs.
    _producer: Any = None
    # Of a copy: the input whose content it has. It is read there, after the copy.
    _same_as: Given | None = None

    def _as_output(self) -> Output:
        raise NotImplementedError

    def _copied_to(self) -> str | None:
        """The address to which a step of its own copies it, if one does."""
        return None

    def _as_given(self) -> Given:
        made = self._as_output()
        return Given(made.name, made.type, self)


@runtime_checkable
class GivesInput(Protocol):
    """Can be an input of a step."""

    def _as_given(self) -> Given: ...


@runtime_checkable
class GivesOutput(Protocol):
    """Can be an output of a step."""

    def _as_output(self) -> Output: ...


def input_of(value: object) -> Given:
    """The input that a value makes; pairs are a path and how it is to be there."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        path, computing = value
        bound = getattr(computing, "_bind", None)
        if bound is not None:
            found: Given = bound(path)
            return found
    if isinstance(value, GivesInput):
        return value._as_given()
    raise UserErrorException(
        f"{value!r} cannot be an input of a step",
        code="bad_input",
        hint="give a DataReference, a dataset (`dataset.as_named_input(NAME).as_mount()`), or an output of another step",
    )


def output_of(value: object) -> tuple[Output, Made]:
    """The output that a value makes, and the object by which later steps name it."""
    target = getattr(value, "_made", value)
    if isinstance(value, GivesOutput) and isinstance(target, Made):
        return value._as_output(), target
    raise UserErrorException(
        f"{value!r} cannot be an output of a step",
        code="bad_output",
        hint="give a PipelineData or an OutputFileDatasetConfig",
    )


def mode_of(mode: str | None) -> str | None:
    """A mode of azureml in the words of pipeline files."""
    if mode is None:
        return None
    if mode not in _MODES:
        raise UserErrorException(f"`{mode}` is no mode of an input", code="bad_mode", hint=f"use {', '.join(_MODES)}")
    return _MODES[mode]


def data_type(place: str) -> str:
    """Whether a place is one file or a folder, as far as it can be seen from here."""
    if place.startswith(("http://", "https://")):
        return FILES
    if "://" in place:
        last = place.rstrip("/").rpartition("/")[2]
        return FILES if "." in last and not place.endswith("/") else FOLDER
    return FILES if Path(place).is_file() else FOLDER


def port_name(text: str | None, otherwise: str) -> str:
    """A name for a port."""
    return as_port(text or otherwise)
