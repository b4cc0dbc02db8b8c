"""Paths in datastores, and how they are to be there for a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import Given, mode_of
from tidemill.azureml.exceptions import UserErrorException, refuse

if TYPE_CHECKING:
    from tidemill.azureml.core.datastore import Datastore
    from tidemill.azureml.data.data_reference import DataReference

__all__ = ["DataPath", "DataPathComputeBinding"]


class DataPath:
    """A path in a datastore."""

    def __init__(
        self, datastore: Datastore | None = None, path_on_datastore: str | None = None, name: str | None = None
    ) -> None:
        if datastore is None:
            raise UserErrorException("a DataPath has a datastore", code="bad_path")
        self._datastore = datastore
        self.path_on_datastore = path_on_datastore
        self.name = name

    @property
    def datastore_name(self) -> str:
        """The datastore's name."""
        return self._datastore.name

    def create_data_reference(
        self,
        data_reference_name: str | None = None,
        datapath_compute_binding: DataPathComputeBinding | None = None,
    ) -> DataReference:
        """It as an input."""
        from tidemill.azureml.data.data_reference import DataReference

        mode = datapath_compute_binding.mode if datapath_compute_binding else "mount"
        return DataReference(self._datastore, data_reference_name or self.name, self.path_on_datastore, mode)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPath:
        """The path of an input."""
        return DataPath(data_reference.datastore, data_reference.path_on_datastore, data_reference.data_reference_name)

    def _place(self) -> str:
        return self._datastore._place(self.path_on_datastore)

    def _as_given(self) -> Given:
        return Given(as_port(self.name or "data"), None, self._place())

    def __repr__(self) -> str:
        return f"DataPath({self.datastore_name}/{self.path_on_datastore or ''})"


class DataPathComputeBinding:
    """How a path is to be there for a step: mounted (to read), or as a copy."""

    def __init__(self, mode: str = "mount", path_on_compute: str | None = None, overwrite: bool = False) -> None:
        refuse(
            "DataPathComputeBinding",
            "inputs are where the worker puts them",
            "take the path from the argument",
            path_on_compute=path_on_compute,
        )
        self.mode = mode
        self.overwrite = overwrite

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath: DataPath | None = None
    ) -> DataReference:
        """A path as an input, in this way."""
        if datapath is None:
            raise UserErrorException("name the path: datapath=…", code="bad_path")
        return datapath.create_data_reference(data_reference_name, self)

    @staticmethod
    def create_from_data_reference(data_reference: DataReference) -> DataPathComputeBinding:
        """How an input is to be there."""
        return DataPathComputeBinding(data_reference.mode)

    def _bind(self, path: Any) -> Given:
        inner: Given = path._as_given()
        return Given(inner.name, inner.type, inner.source, mode_of(self.mode), inner.table)
