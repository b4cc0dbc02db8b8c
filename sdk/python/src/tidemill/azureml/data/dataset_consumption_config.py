"""A dataset as an input of a step."""

from __future__ import annotations

from typing import Any

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import Given, mode_of
from tidemill.azureml.exceptions import refuse

__all__ = ["DatasetConsumptionConfig"]


class DatasetConsumptionConfig:
    """A dataset as an input: under a name, and as a dataset (`direct`), as files to read, or as a copy."""

    def __init__(self, name: str, dataset: Any, mode: str = "direct", path_on_compute: str | None = None) -> None:
        refuse(
            "DatasetConsumptionConfig",
            "inputs are where the worker puts them",
            "take the path from the argument",
            path_on_compute=path_on_compute,
        )
        self.name = name
        self.dataset = dataset
        self.mode = mode

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """As files that the step can only read."""
        return DatasetConsumptionConfig(self.name, self.dataset, "mount", path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """As a copy of the step's own."""
        return DatasetConsumptionConfig(self.name, self.dataset, "download", path_on_compute)

    def _as_given(self) -> Given:
        inner: Given = self.dataset._as_given()
        # A script that is handed a dataset finds its files where they would be mounted.
        mode = "mount" if self.mode == "direct" else self.mode
        table = inner.table if self.mode == "direct" else None
        return Given(as_port(self.name), inner.type, inner.source, mode_of(mode), table)
