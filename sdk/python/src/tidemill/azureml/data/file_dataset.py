"""Datasets of files."""

from __future__ import annotations

import shutil
from pathlib import Path

from tidemill.azureml.data.abstract_dataset import AbstractDataset
from tidemill.azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from tidemill.azureml.exceptions import refused

__all__ = ["FileDataset"]


class FileDataset(AbstractDataset):
    """Files."""

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """It as an input: files that the step can only read."""
        return DatasetConsumptionConfig(self.name or "dataset", self).as_mount(path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """It as an input: a copy of the step's own."""
        return DatasetConsumptionConfig(self.name or "dataset", self).as_download(path_on_compute)

    def to_path(self) -> list[str]:
        """The paths of its files, as `/a/b.csv`."""
        root = Path(self._local())
        if root.is_file():
            return [f"/{root.name}"]
        return [f"/{path.relative_to(root).as_posix()}" for path in self._files()]

    def download(
        self, target_path: str | None = None, overwrite: bool = False, ignore_not_found: bool = False
    ) -> list[str]:
        """Brings its files to this machine; answers with their paths."""
        root = Path(self._local())
        folder = Path(target_path or ".")
        brought = []
        for path in self._files():
            place = folder / (path.name if root.is_file() else path.relative_to(root))
            if not place.exists() or overwrite:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
            brought.append(str(place))
        return brought

    mount = refused("mount on this machine", "nothing is mounted here", "download(target_path)")
    skip = refused("part of a dataset", "an input is all files of a place", "choose files in the step")
    take = skip
    take_sample = skip
    random_split = skip
    filter = skip
