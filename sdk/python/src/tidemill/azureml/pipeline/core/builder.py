"""Steps in general, what passes between them, and their order. What each kind of step is, is in `tidemill.azureml.pipeline.steps`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import FILES, FOLDER, Given, Made, Output, input_of, output_of
from tidemill.azureml.exceptions import UserErrorException, refuse
from tidemill.azureml.pipeline.core.graph import InputPortBinding, PipelineParameter

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet

__all__ = ["PipelineData", "PipelineStep", "StepSequence"]


class PipelineData(Made):
    """What one step writes and others read. It is a folder, unless `is_directory=False` says that it is a file."""

    def __init__(
        self,
        name: str,
        datastore: Any = None,
        output_name: str | None = None,
        output_mode: str = "mount",
        output_path_on_compute: str | None = None,
        output_overwrite: bool | None = None,
        data_type: str | None = None,
        is_directory: bool | None = None,
        pipeline_output_name: str | None = None,
        training_output: Any = None,
    ) -> None:
        if output_mode not in ("mount", "upload"):
            raise UserErrorException(f"`{output_mode}` is neither mount nor upload", code="bad_mode")
        refuse(
            "PipelineData",
            "outputs are where the worker puts them",
            "take the path from the argument",
            output_path_on_compute=output_path_on_compute,
        )
        self.name = name
        self.datastore = datastore
        self.data_type = data_type
        self._output_name = output_name or name
        self._is_directory = is_directory
        self._pipeline_output_name = pipeline_output_name
        self._training_output = training_output

    def _as_output(self) -> Output:
        kind = FILES if self._is_directory is False else FOLDER
        promised = self._pipeline_output_name
        return Output(as_port(self._output_name), kind, as_port(promised) if promised else None)

    def _as_given(self) -> Given:
        made = self._as_output()
        return Given(as_port(self.name), made.type, self)

    def as_download(
        self, input_name: str | None = None, path_on_compute: str | None = None, overwrite: bool | None = None
    ) -> InputPortBinding:
        """It as an input of which the step gets a copy of its own."""
        return self.create_input_binding(input_name, "download", path_on_compute, overwrite)

    def as_mount(self, input_name: str | None = None) -> InputPortBinding:
        """It as an input that the step can only read."""
        return self.create_input_binding(input_name, "mount")

    def as_input(self, input_name: str) -> InputPortBinding:
        """It as an input under another name."""
        return self.create_input_binding(input_name)

    def create_input_binding(
        self,
        input_name: str | None = None,
        mode: str | None = None,
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
    ) -> InputPortBinding:
        """It as an input."""
        return InputPortBinding(input_name or self.name, self, mode or "mount", path_on_compute, overwrite)

    def get_env_variable_name(self) -> str:
        """The variable that holds its path once a script has imported azureml."""
        return f"AZUREML_DATAREFERENCE_{self.name}"

    def as_dataset(self) -> Any:
        """It as a dataset, which can be registered or read as a table."""
        from tidemill.azureml.pipeline.core.pipeline_output_dataset import PipelineOutputFileDataset

        return PipelineOutputFileDataset(self)

    def __str__(self) -> str:
        return f"${self.get_env_variable_name()}"

    def __repr__(self) -> str:
        return f"PipelineData({self.name!r})"


class PipelineStep:
    """A step of a pipeline."""

    def __init__(
        self,
        name: str,
        inputs: Sequence[Any] | None,
        outputs: Sequence[Any] | None,
        arguments: Sequence[Any] | None = None,
        fix_port_name_collisions: bool = False,
        resource_inputs: Sequence[Any] | None = None,
    ) -> None:
        refuse(
            "PipelineStep",
            "a step has its code folder and its inputs",
            "use `inputs`",
            resource_inputs=resource_inputs,
        )
        self.name = name
        self._arguments = list(arguments or [])
        self._after: list[PipelineStep] = []
        self._given: dict[str, Given] = {}
        self._outputs: dict[str, Output] = {}
        self._made: dict[str, Made] = {}
        # What arguments may name, by the object that names it.
        self._word_of: dict[int, str] = {}
        # An id means its object only while that lives.
        self._kept: list[Any] = [inputs, outputs, self._arguments]
        self._fixes = fix_port_name_collisions
        for value in inputs or []:
            self._take(value)
        for value in outputs or []:
            self._give(value)
        self._take_arguments()

    def run_after(self, step: PipelineStep) -> None:
        """Orders it after another step from which it reads nothing."""
        if not isinstance(step, PipelineStep):
            raise UserErrorException(f"{step!r} is no step", code="bad_order")
        self._after.append(step)

    @property
    def _before(self) -> Iterator[PipelineStep]:
        """The steps that it needs."""
        for given in self._given.values():
            if isinstance(given.source, Made):
                if given.source._producer is None:
                    raise UserErrorException(
                        f"the step `{self.name}` reads `{given.name}`, which no step writes",
                        code="bad_input",
                        hint="list it in the `outputs` of the step that writes it",
                    )
                yield given.source._producer
        yield from self._after

    def _node(self, sheet: Sheet) -> dict[str, Any]:
        """It in the words of pipeline files."""
        raise NotImplementedError

    def _take(self, value: Any, given: Given | None = None) -> str:
        given = given or input_of(value)
        known = self._given.get(given.name)
        if known is not None and known.source != given.source:
            if not self._fixes:
                raise UserErrorException(
                    f"the step `{self.name}` has two inputs `{given.name}`",
                    code="bad_input",
                    hint="name one of them: as_input(NAME), as_mount(NAME)",
                )
            given = Given(_free(given.name, self._given), given.type, given.source, given.mode, given.table)
        self._given[given.name] = given
        word = f"${{{{inputs.{given.name}}}}}"
        self._word_of[id(value)] = word
        # The thing itself names it too, unless the step also writes it.
        for inner in (getattr(value, "bind_object", None), getattr(value, "_made", None)):
            if inner is not None:
                self._word_of.setdefault(id(inner), word)
        return word

    def _give(self, value: Any) -> str:
        _, made = output_of(value)
        named = getattr(made, "_name_by_place", None)
        if named is not None:
            named(len(self._outputs) + 1)
        output, made = output_of(value)
        if made._producer not in (None, self):
            raise UserErrorException(
                f"`{output.name}` is written by the steps `{made._producer.name}` and `{self.name}`",
                code="bad_output",
                hint="use one object for each output",
            )
        made._producer = self
        self._outputs[output.name] = output
        self._made[output.name] = made
        word = f"${{{{outputs.{output.name}}}}}"
        self._word_of[id(value)] = word
        self._word_of[id(made)] = word
        return word

    def _take_arguments(self) -> None:
        """Datasets and their outputs may stand in arguments alone; other data is listed in inputs or outputs too."""
        from tidemill.azureml.data.output_dataset_config import OutputFileDatasetConfig

        for value in self._arguments:
            if id(value) in self._word_of or not hasattr(value, "_as_given"):
                continue
            if isinstance(value, OutputFileDatasetConfig):
                self._give(value)
            elif not isinstance(value, PipelineParameter) or value._is_data:
                self._take_argument(value)

    def _take_argument(self, value: Any) -> None:
        """An argument that names an input by an object of its own, as `data.as_mount()` twice does, or is one."""
        from tidemill.azureml.data.data_reference import DataReference

        given = input_of(value)
        for known in self._given.values():
            if known.source == given.source and (known.name == given.name or not isinstance(value, InputPortBinding)):
                self._word_of[id(value)] = f"${{{{inputs.{known.name}}}}}"
                return
        if isinstance(value, (PipelineData, InputPortBinding, DataReference)):
            raise UserErrorException(
                f"`{given.name}` is in the arguments of `{self.name}`, but neither in its inputs nor in its outputs",
                code="bad_input",
                hint="list it there too",
            )
        self._take(value, given)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class StepSequence:
    """Steps in an order, whether or not they read from each other."""

    def __init__(self, steps: Iterable[Any] | None = None) -> None:
        self.steps = [list(step) if isinstance(step, (list, tuple)) else [step] for step in steps or []]
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            for step in after:
                for other in before:
                    step.run_after(other)

    def __iter__(self) -> Iterator[Any]:
        for group in self.steps:
            yield from group


def _free(name: str, taken: Iterable[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
