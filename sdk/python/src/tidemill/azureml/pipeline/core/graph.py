"""Parameters, bindings and ports of a pipeline, and the data behind a port of a step that ran."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import FILES, FOLDER, Given, Made, Output, data_type, input_of, mode_of, output_of
from tidemill.azureml.exceptions import UserErrorException, refuse, refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidemill import Artifact
    from tidemill.azureml.pipeline.core.run import StepRun

__all__ = [
    "InputPortBinding",
    "InputPortDef",
    "OutputPortBinding",
    "OutputPortDef",
    "PipelineDataset",
    "PipelineParameter",
    "PortDataReference",
    "TrainingOutput",
]

_LITERALS = {bool: "boolean", int: "integer", float: "number", str: "string"}


class PipelineParameter:
    """A parameter of a pipeline; its default says what it is: text, a number, a truth value, a path or a dataset."""

    def __init__(self, name: str, default_value: Any) -> None:
        self.name = name
        self.default_value = default_value
        if not name or not isinstance(name, str):
            raise UserErrorException("a pipeline parameter has a name", code="bad_parameter")
        if isinstance(default_value, str) and "\n" in default_value:
            raise UserErrorException(f"the default of `{name}` has more than one line", code="bad_parameter")

    @property
    def _port(self) -> str:
        return as_port(self.name)

    @property
    def _is_data(self) -> bool:
        return hasattr(self.default_value, "_place")

    def _place(self) -> str:
        return str(self.default_value._place())

    def _type(self) -> str:
        if self._is_data:
            fixed = getattr(self.default_value, "_type", None)
            return str(fixed()) if fixed is not None else data_type(self._place())
        kind = _LITERALS.get(type(self.default_value))
        if kind is None and self.default_value is not None:
            raise UserErrorException(
                f"the default of the parameter `{self.name}` is a {type(self.default_value).__name__}",
                code="bad_parameter",
                hint="give text, a number, a truth value, a DataPath or a dataset",
            )
        return kind or "string"

    def _declaration(self) -> dict[str, Any]:
        if self._is_data:
            return {"type": self._type(), "path": self._place()}
        if self.default_value is None:
            return {"type": "string", "optional": True}
        return {"type": self._type(), "default": self.default_value}

    def _as_given(self) -> Given:
        return Given(self._port, self._type(), self, table=getattr(self.default_value, "_table", None))

    def __repr__(self) -> str:
        return f"PipelineParameter(name={self.name!r}, default_value={self.default_value!r})"


class InputPortBinding:
    """Something that a step reads, under a name and in a mode of its own."""

    def __init__(
        self,
        name: str,
        bind_object: Any = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
        is_resource: bool = False,
        additional_transformations: Any = None,
    ) -> None:
        refuse(
            "InputPortBinding",
            "inputs are where the worker puts them",
            "take the path from the argument",
            path_on_compute=path_on_compute,
            is_resource=is_resource,
            additional_transformations=additional_transformations,
        )
        self.name = name
        self.bind_object = bind_object
        self.bind_mode = bind_mode
        self.overwrite = overwrite

    def _as_given(self) -> Given:
        inner = input_of(self.bind_object)
        mode = inner.mode if isinstance(self.bind_object, InputPortBinding) else mode_of(self.bind_mode)
        return Given(as_port(self.name), inner.type, inner.source, mode, inner.table)


class OutputPortBinding:
    """Something that a step writes."""

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: str | None = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        is_directory: bool | None = None,
        overwrite: bool | None = None,
        data_type: str | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
        dataset_registration: Any = None,
        dataset_output: Any = None,
    ) -> None:
        from tidemill.azureml.pipeline.core.builder import PipelineData

        refuse(
            "OutputPortBinding",
            "outputs are kept in the artifact store",
            "use PipelineData or OutputFileDatasetConfig",
            path_on_compute=path_on_compute,
            dataset_registration=dataset_registration,
            dataset_output=dataset_output,
        )
        self.name = name
        self.bind_mode = bind_mode
        self._made: Made = PipelineData(
            name,
            datastore,
            output_name,
            output_overwrite=overwrite,
            data_type=data_type,
            is_directory=is_directory,
            pipeline_output_name=pipeline_output_name,
            training_output=training_output,
        )

    def _as_output(self) -> Output:
        return output_of(self._made)[0]

    def _as_given(self) -> Given:
        return self._made._as_given()


class PipelineDataset:
    """A dataset as an input of a pipeline."""

    def __init__(
        self,
        dataset: Any = None,
        name: str | None = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
        parameter_name: str | None = None,
    ) -> None:
        refuse(
            "PipelineDataset",
            "inputs are where the worker puts them",
            "use PipelineParameter for a dataset that changes",
            path_on_compute=path_on_compute,
            parameter_name=parameter_name,
        )
        self.dataset = dataset
        self.name = name or PipelineDataset.default_name(dataset)
        self.bind_mode = bind_mode
        self.overwrite = overwrite

    @staticmethod
    def create(dataset: Any, name: str | None = None, parameter_name: str | None = None) -> PipelineDataset:
        """A dataset as an input."""
        return PipelineDataset(dataset, name, parameter_name=parameter_name)

    @staticmethod
    def default_name(dataset: Any) -> str:
        """The name of an input for it."""
        return as_port(getattr(dataset, "name", None) or "dataset")

    def _as_given(self) -> Given:
        inner = input_of(self.dataset)
        return Given(as_port(self.name), inner.type, inner.source, mode_of(self.bind_mode), inner.table)


class InputPortDef:
    """An input that a module declares."""

    def __init__(
        self,
        name: str,
        data_types: Sequence[str] | None = None,
        default_datastore_mode: str | None = None,
        default_path_on_compute: str | None = None,
        is_optional: bool = False,
        default_overwrite: bool | None = None,
        default_data_reference_name: str | None = None,
        is_resource: bool = False,
        label: str | None = None,
        additional_transformations: Any = None,
    ) -> None:
        refuse(
            "InputPortDef",
            "inputs are where the worker puts them",
            "take the path from the argument",
            default_path_on_compute=default_path_on_compute,
            is_resource=is_resource,
            additional_transformations=additional_transformations,
        )
        self.name = name
        self.data_types = list(data_types or [])
        self.default_datastore_mode = default_datastore_mode
        self.is_optional = is_optional
        self.default_overwrite = default_overwrite
        self.default_data_reference_name = default_data_reference_name
        self.label = label

    def _declaration(self) -> dict[str, Any]:
        mode = mode_of(self.default_datastore_mode)
        return {
            "type": FOLDER,
            **({"mode": mode} if mode and mode != "ro_mount" else {}),
            **({"optional": True} if self.is_optional else {}),
            **({"description": self.label} if self.label else {}),
        }


class OutputPortDef:
    """An output that a module declares."""

    def __init__(
        self,
        name: str,
        default_datastore_name: str | None = None,
        default_datastore_mode: str | None = None,
        default_path_on_compute: str | None = None,
        is_directory: bool = False,
        data_type: str | None = None,
        default_overwrite: bool | None = None,
        training_output: Any = None,
        label: str | None = None,
    ) -> None:
        refuse(
            "OutputPortDef",
            "outputs are where the worker puts them",
            "take the path from the argument",
            default_path_on_compute=default_path_on_compute,
            training_output=training_output,
        )
        self.name = name
        self.default_datastore_name = default_datastore_name
        self.default_datastore_mode = default_datastore_mode
        self.is_directory = is_directory
        self.data_type = data_type
        self.default_overwrite = default_overwrite
        self.label = label

    def _declaration(self) -> dict[str, Any]:
        # As with PipelineData, a folder unless it is said to be a file.
        return {"type": FILES if self.data_type == "file" else FOLDER}


class TrainingOutput:
    """What a search leaves: its metrics or its best model."""

    def __init__(
        self, type: str, iteration: int | None = None, metric: str | None = None, model_file: str | None = None
    ) -> None:
        if type not in ("Model", "Metrics"):
            raise UserErrorException(f"`{type}` is neither Model nor Metrics", code="bad_output")
        refuse(
            "TrainingOutput",
            "a sweep gives its best trial's outputs",
            "leave it out",
            iteration=iteration,
            metric=metric,
        )
        self.type = type
        self.iteration = iteration
        self.metric = metric
        self.model_file = model_file


class PortDataReference:
    """What a step left at one of its outputs."""

    def __init__(self, context: Any, pipeline_run_id: str, data_reference: Artifact, step_run: StepRun) -> None:
        self._context = context
        self._artifact = data_reference
        self._step_run = step_run
        self.pipeline_run_id = pipeline_run_id

    @property
    def name(self) -> str:
        """The output's name."""
        return self._artifact.name.rpartition("/")[2]

    @property
    def datastore(self) -> None:
        """Nothing: outputs are in the artifact store."""
        return

    @property
    def datastore_name(self) -> str:
        """The artifact store."""
        return "tidemill"

    @property
    def path_on_datastore(self) -> str:
        """The path below `local_path` that `download` makes."""
        return f"azureml/{self._step_run.id}/{self.name}"

    def download(self, local_path: str, overwrite: bool | None = None, show_progress: bool | None = None) -> int:
        """Brings it to this machine, below `local_path`/`path_on_datastore`; answers with the number of files that were brought."""
        place = Path(local_path) / self.path_on_datastore
        if not self._artifact.is_folder:
            return _bring(self._artifact, place, overwrite)
        place.mkdir(parents=True, exist_ok=True)
        return sum(_bring(self._artifact[path], place / path, overwrite) for path in self._artifact.paths())

    as_download = refused(
        "the output of a run as an input of another pipeline",
        "it has no name there",
        "register it: client.data.register(NAME, artifact), and use Dataset.get_by_name",
    )
    as_mount = as_download
    as_input = as_download


def _bring(artifact: Artifact, place: Path, overwrite: bool | None) -> int:
    if place.exists():
        if not overwrite:
            return 0
        place.unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    artifact.download(os.fspath(place))
    return 1


def parameters_of(assignments: Mapping[str, Any] | None) -> dict[str, Any]:
    """Values for parameters, as a submission takes them."""
    found: dict[str, Any] = {}
    for name, value in (assignments or {}).items():
        place = getattr(value, "_place", None)
        if place is None:
            found[as_port(name)] = value
        else:
            text = str(place())
            found[as_port(name)] = text if "://" in text or text.startswith("azureml:") else Path(text)
    return found


def __getattr__(name: str) -> Any:
    # It is known under this module too, and needs what is defined here.
    if name == "PublishedPipeline":
        from tidemill.azureml.pipeline.core.published import PublishedPipeline

        return PublishedPipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
