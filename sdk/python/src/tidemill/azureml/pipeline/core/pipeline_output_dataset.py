"""What a step writes, as a dataset for the steps after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_name, as_port
from tidemill.azureml._ports import Given, Made, Output, mode_of
from tidemill.azureml.exceptions import not_supported

if TYPE_CHECKING:
    from tidemill.azureml.pipeline.core.builder import PipelineData

__all__ = ["PipelineOutputFileDataset", "PipelineOutputTabularDataset"]


class PipelineOutputFileDataset:
    """The files that a step writes."""

    def __init__(self, pipeline_data: PipelineData) -> None:
        self._made: Made = pipeline_data
        self._name = pipeline_data.name
        self._mode: str | None = "mount"
        self._registered_as: str | None = None
        self._table: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the input that it makes."""
        return self._name

    def as_named_input(self, name: str) -> PipelineOutputFileDataset:
        """It as an input under another name."""
        self._name = name
        return self

    def as_mount(self, path_on_compute: str | None = None) -> PipelineOutputFileDataset:
        """It as files that the step can only read."""
        return self._in_mode("mount", path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> PipelineOutputFileDataset:
        """It as a copy of the step's own."""
        return self._in_mode("download", path_on_compute)

    def as_direct(self) -> PipelineOutputFileDataset:
        """It as a dataset."""
        return self._in_mode("mount", None)

    def register(self, name: str, create_new_version: bool = True) -> PipelineOutputFileDataset:
        """Gives it a name once the step has ended well; each time is a new version."""
        if not create_new_version:
            raise not_supported("`create_new_version=False`", "every change is a version", "leave it out")
        self._registered_as = as_name(name)
        return self

    def parse_delimited_files(
        self, include_path: bool = False, separator: str = ",", header: Any = True, **options: Any
    ) -> PipelineOutputTabularDataset:
        """The same as a table of delimited text."""
        if include_path or options:
            raise not_supported("this way to parse", "only separator and header are read", "parse it in the script")
        return PipelineOutputTabularDataset(
            self, {"format": "delimited", "separator": separator, "header": bool(header)}
        )

    def parse_parquet_files(self, include_path: bool = False, **options: Any) -> PipelineOutputTabularDataset:
        """The same as a table in Parquet."""
        if include_path or options:
            raise not_supported("this way to parse", "whole files are read", "parse it in the script")
        return PipelineOutputTabularDataset(self, {"format": "parquet"})

    def _in_mode(self, mode: str, path_on_compute: str | None) -> PipelineOutputFileDataset:
        if path_on_compute is not None:
            raise not_supported(
                "`path_on_compute`", "inputs are where the worker puts them", "take the path from the argument"
            )
        self._mode = mode
        return self

    def _as_output(self) -> Output:
        made = self._made._as_output()
        return Output(made.name, made.type, made.pipeline_output, self._registered_as or made.registered_as)

    def _as_given(self) -> Given:
        made = self._made._as_output()
        return Given(as_port(self._name), made.type, self._made, mode_of(self._mode), self._table)


class PipelineOutputTabularDataset(PipelineOutputFileDataset):
    """What a step writes, as a table for the scripts after it."""

    def __init__(self, files: PipelineOutputFileDataset, table: Mapping[str, Any]) -> None:
        self._made = files._made
        self._name = files._name
        self._mode = "mount"
        self._registered_as = files._registered_as
        self._table = table
