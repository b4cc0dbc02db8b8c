"""`azureml.core.Dataset`: how datasets are made and found."""

from __future__ import annotations

from tidemill.azureml.data.abstract_dataset import AbstractDataset
from tidemill.azureml.data.dataset_factory import FileDatasetFactory, TabularDatasetFactory

__all__ = ["Dataset"]


class Dataset(AbstractDataset):
    """Makes datasets (`Dataset.File.from_files`, `Dataset.Tabular.from_delimited_files`) and finds registered ones."""

    File = FileDatasetFactory
    Tabular = TabularDatasetFactory
