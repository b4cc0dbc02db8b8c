"""What stands at a path in a datastore, as an input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import Given, mode_of
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse

if TYPE_CHECKING:
    from tidemill.azureml.core.datastore import Datastore
    from tidemill.azureml.data.datapath import DataPath, DataPathComputeBinding

__all__ = ["DataReference"]


class DataReference:
    """What stands at a path in a datastore, as an input."""

    def __init__(
        self,
        datastore: Datastore,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        refuse(
            "DataReference",
            "inputs are where the worker puts them",
            "take the path from the argument",
            path_on_compute=path_on_compute,
        )
        self.datastore = datastore
        self.data_reference_name = data_reference_name or as_port(datastore.name)
        self.path_on_datastore = path_on_datastore
        self.mode = mode
        self.overwrite = overwrite

    @staticmethod
    def create(
        data_reference_name: str | None = None,
        datapath: DataPath | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """A path as an input."""
        if datapath is None:
            raise UserErrorException("name the path: datapath=…", code="bad_path")
        return datapath.create_data_reference(data_reference_name, datapath_compute_binding)

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """What stands further below."""
        inner = "/".join(part.strip("/") for part in (self.path_on_datastore, path) if part)
        return DataReference(self.datastore, data_reference_name or self.data_reference_name, inner or None, self.mode)

    def as_mount(self) -> DataReference:
        """The same, to read."""
        return DataReference(self.datastore, self.data_reference_name, self.path_on_datastore, "mount")

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """The same as a copy of the step's own."""
        return DataReference(
            self.datastore, self.data_reference_name, self.path_on_datastore, "download", path_on_compute, overwrite
        )

    def as_upload(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """Not here: steps write to outputs."""
        raise not_supported("DataReference.as_upload", "steps write to outputs", "use PipelineData")

    def _place(self) -> str:
        return self.datastore._place(self.path_on_datastore)

    def _as_given(self) -> Given:
        return Given(as_port(self.data_reference_name), None, self._place(), mode_of(self.mode))

    def __str__(self) -> str:
        return f"$AZUREML_DATAREFERENCE_{as_port(self.data_reference_name)}"

    def __repr__(self) -> str:
        return f"DataReference({self.datastore.name}/{self.path_on_datastore or ''})"
