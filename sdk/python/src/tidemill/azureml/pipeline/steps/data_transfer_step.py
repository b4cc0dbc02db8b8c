"""Steps that copy data to a datastore: tidemill's own kind `copy`. What was copied is for later steps what it was copied from, because a copy has the same content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import FILES, FOLDER, Given, Made, input_of
from tidemill.azureml.data.data_reference import DataReference
from tidemill.azureml.exceptions import UserErrorException, not_supported
from tidemill.azureml.pipeline.core.builder import PipelineData
from tidemill.azureml.pipeline.steps.other_steps import OtherStep

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet, Words

__all__ = ["DataTransferStep", "OutputCopy"]

TYPES = {"file": FILES, "directory": FOLDER}


class DataTransferStep(OtherStep):
    """A step that copies a file or folder to a datastore of the coordinator. The compute target is that of the worker that copies."""

    def __init__(
        self,
        name: str,
        source_data_reference: Any = None,
        destination_data_reference: Any = None,
        compute_target: Any = None,
        source_reference_type: str | None = None,
        destination_reference_type: str | None = None,
        allow_reuse: bool = True,
    ) -> None:
        if source_data_reference is None or destination_data_reference is None:
            raise UserErrorException("a DataTransferStep has a source and a destination", code="bad_input")
        for kind in (source_reference_type, destination_reference_type):
            if kind is not None and kind not in TYPES:
                raise UserErrorException(f"`{kind}` is neither file nor directory", code="bad_type")
        self._compute_target = compute_target
        self._allow_reuse = allow_reuse
        found = input_of(source_data_reference)
        kind = TYPES.get(source_reference_type or "", found.type or found.kind)
        self._source = Given("source", kind, found.source, found.mode)
        self._destination = _destination(destination_data_reference)
        if kind == FILES and destination_reference_type == "directory":
            self._destination = f"{self._destination.rstrip('/')}/{_last_name(self._source)}"
        elif kind == FOLDER and destination_reference_type == "file":
            raise UserErrorException(
                f"the source of `{name}` is a folder, and its destination a file",
                code="bad_type",
                hint='say what the source is: source_reference_type="file"',
            )
        super().__init__(name, None, None)
        self._take(source_data_reference, self._source)
        self._result = _Copied(self, destination_data_reference.data_reference_name)

    def get_output(self) -> PipelineData:
        """What was copied, for the steps after it."""
        return self._result

    def _settings(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        return {"type": "copy", "destination": self._destination}


class OutputCopy(OtherStep):
    """A step that copies what another one writes to where its output is to be, on a worker of the same compute target."""

    def __init__(self, producer: Any, made: Made, destination: str) -> None:
        config = getattr(producer, "_runconfig", None)
        self._compute_target = getattr(producer, "_compute_target", None) or getattr(config, "target", None)
        self._destination = destination
        output = made._as_output()
        super().__init__(f"copy {output.name} of {producer.name}", None, None)
        self._take(made, Given("source", output.type, made))

    def _settings(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        return {"type": "copy", "destination": self._destination}


class _Copied(PipelineData):
    """What a copy left: the same content as its source, read where that is, once the copy is there."""

    def __init__(self, step: DataTransferStep, name: str) -> None:
        super().__init__(name, is_directory=step._source.kind == FOLDER)
        self._producer = step
        self._same_as = step._source


def _destination(given: Any) -> str:
    """The address that a copy writes to."""
    if not isinstance(given, DataReference):
        raise not_supported(
            f"a {type(given).__name__} as the destination of a DataTransferStep",
            "it copies to a place in a datastore",
            "a DataReference; what only later steps need is a PipelineData of the step that makes it",
        )
    return given.datastore._target(given.path_on_datastore)


def _last_name(source: Given) -> str:
    """What a file is called."""
    place = source.source
    if isinstance(place, str):
        return place.rstrip("/").rpartition("/")[2]
    return as_port(getattr(place, "name", "data"))
