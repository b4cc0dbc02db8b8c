"""What a step writes, as a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.azureml._names import as_name, as_port
from tidemill.azureml._ports import FOLDER, Given, Made, Output, mode_of
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse, refused

__all__ = ["OutputDatasetConfig", "OutputFileDatasetConfig"]

RUN_ID = "{run-id}"


class OutputDatasetConfig(Made):
    """What a step writes, as a dataset."""

    def __init__(self, mode: str, name: str | None = None) -> None:
        # Without a name it is called by its place in its step, always the same, so that the step can be reused.
        self._name = name
        self.mode = mode
        self._registered_as: str | None = None

    @property
    def name(self) -> str:
        """The output's name."""
        return self._name or "output"

    def _name_by_place(self, place: int) -> None:
        self._name = self._name or f"output_{place}"

    def register_on_complete(
        self, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> OutputDatasetConfig:
        """Gives it a name once the step has ended well; each time is a new version."""
        refuse(
            "register_on_complete",
            "a version that a step makes has neither at first",
            "describe it afterwards: dataset.update(description=…, tags=…)",
            description=description,
            tags=tags,
        )
        self._registered_as = as_name(name)
        return self

    def as_input(self, name: str | None = None) -> _OutputAsInput:
        """It as an input of a later step."""
        return _OutputAsInput(self, name)

    def _as_output(self) -> Output:
        return Output(as_port(self.name), FOLDER, None, self._registered_as)


class OutputFileDatasetConfig(OutputDatasetConfig):
    """A folder of files that a step writes. It is kept in the artifact store, and copied to a `destination` by a step of its own."""

    def __init__(
        self,
        name: str | None = None,
        destination: Any = None,
        source: str | None = None,
        partition_format: str | None = None,
    ) -> None:
        refuse(
            "OutputFileDatasetConfig",
            "the step writes to the path that it is given",
            "give this object as an argument, and write there",
            source=source,
            partition_format=partition_format,
        )
        super().__init__("mount", name)
        self.destination = destination
        # Said at once, and not when a pipeline is submitted.
        self._copied_to()

    def _copied_to(self) -> str | None:
        if self.destination is None:
            return None
        store, path = _parts(self.destination)
        if RUN_ID in path:
            raise not_supported(
                f"`{RUN_ID}` in a destination",
                "where an output is to be is written down before there is a run",
                "another part of the path, such as a date of the notebook's; each run's output is in the artifact store by itself",
            )
        inner = path.replace("{output-name}", as_port(self.name)).strip("/")
        if isinstance(store, str):
            return f"azureml://datastores/{store}/paths/{inner}"
        return str(store._target(inner))

    def as_mount(self, disable_metadata_cache: bool = False) -> OutputFileDatasetConfig:
        """The same: it is taken when the step has ended well."""
        self.mode = "mount"
        return self

    def as_upload(self, overwrite: bool = False, source_globs: Any = None) -> OutputFileDatasetConfig:
        """The same: it is taken when the step has ended well."""
        refuse("as_upload", "all that the step wrote is taken", "write only what is wanted", source_globs=source_globs)
        self.mode = "upload"
        return self

    def register_on_complete(
        self, name: str, description: str | None = None, tags: Mapping[str, str] | None = None
    ) -> OutputFileDatasetConfig:
        """Gives it a name once the step has ended well; each time is a new version."""
        super().register_on_complete(name, description, tags)
        return self

    read_delimited_files = refused(
        "reading an OutputFileDatasetConfig as a table",
        "an output is files",
        "read them in the next step, with pandas; as_input(NAME) gives it the path",
    )
    read_parquet_files = read_delimited_files


def _parts(destination: Any) -> tuple[Any, str]:
    """The datastore of a destination, and the path in it."""
    given = list(destination) if isinstance(destination, (list, tuple)) else [destination]
    if (
        len(given) != 2
        or not isinstance(given[1], str)
        or not (given[0] if isinstance(given[0], str) else hasattr(given[0], "_target"))
    ):
        raise UserErrorException(
            f"{destination!r} is no destination",
            code="bad_destination",
            hint="give (datastore, path), the path in the datastore",
        )
    return given[0], given[1]


class _OutputAsInput:
    """What a step wrote, as an input of a later step."""

    def __init__(self, made: OutputDatasetConfig, name: str | None, mode: str = "mount") -> None:
        self._made = made
        self._name = name
        self.mode = mode

    @property
    def name(self) -> str:
        """The input's name."""
        return self._name or self._made.name

    def as_mount(self, path_on_compute: str | None = None) -> _OutputAsInput:
        """As files that the step can only read."""
        return _OutputAsInput(self._made, self._name)

    def as_download(self, path_on_compute: str | None = None) -> _OutputAsInput:
        """As a copy of the step's own."""
        return _OutputAsInput(self._made, self._name, "download")

    def as_named_input(self, name: str) -> _OutputAsInput:
        """Under another name."""
        return _OutputAsInput(self._made, name, self.mode)

    def _as_given(self) -> Given:
        return Given(as_port(self.name), self._made._as_output().type, self._made, mode_of(self.mode))
