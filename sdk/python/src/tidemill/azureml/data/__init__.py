"""Data: `azureml.data`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.azureml._lazy import lookup

if TYPE_CHECKING:
    from tidemill.azureml.data.data_reference import DataReference
    from tidemill.azureml.data.datapath import DataPath, DataPathComputeBinding
    from tidemill.azureml.data.dataset_consumption_config import DatasetConsumptionConfig
    from tidemill.azureml.data.file_dataset import FileDataset
    from tidemill.azureml.data.output_dataset_config import OutputDatasetConfig, OutputFileDatasetConfig
    from tidemill.azureml.data.tabular_dataset import TabularDataset

__all__ = [
    "DataPath",
    "DataPathComputeBinding",
    "DataReference",
    "DatasetConsumptionConfig",
    "FileDataset",
    "OutputDatasetConfig",
    "OutputFileDatasetConfig",
    "TabularDataset",
]

_WHERE = {
    "DataPath": "datapath",
    "DataPathComputeBinding": "datapath",
    "DataReference": "data_reference",
    "DatasetConsumptionConfig": "dataset_consumption_config",
    "FileDataset": "file_dataset",
    "OutputDatasetConfig": "output_dataset_config",
    "OutputFileDatasetConfig": "output_dataset_config",
    "TabularDataset": "tabular_dataset",
}

__getattr__ = lookup(__name__, _WHERE, globals())
