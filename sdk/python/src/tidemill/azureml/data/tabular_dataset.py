"""Datasets that are read as a table."""

from __future__ import annotations

from typing import Any

from tidemill.azureml._step.core.table import read_table
from tidemill.azureml.data.abstract_dataset import AbstractDataset
from tidemill.azureml.exceptions import refused

__all__ = ["TabularDataset"]


class TabularDataset(AbstractDataset):
    """Files that are read as one table."""

    _kind = "TabularDataset"

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> Any:
        """The table as a data frame of pandas."""
        return read_table(self._local(), self._table or {})

    take = refused("part of a table", "an input is all files of a place", "choose rows in the step")
    skip = take
    take_sample = take
    random_split = take
    keep_columns = take
    drop_columns = take
    filter = take
    partition_by = take
    time_before = take
    time_after = take
    time_between = take
    time_recent = take
    with_timestamp_columns = refused(
        "timestamp columns", "columns have no meaning to tidemill", "choose rows in the step"
    )
    to_spark_dataframe = refused(
        "to_spark_dataframe", "there is no Spark here", "to_pandas_dataframe(), or a Spark step"
    )
