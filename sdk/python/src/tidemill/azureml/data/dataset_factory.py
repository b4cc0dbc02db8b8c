"""How datasets are made: of places in datastores, local files or addresses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidemill.azureml._names import as_name
from tidemill.azureml.data.datapath import DataPath
from tidemill.azureml.data.file_dataset import FileDataset
from tidemill.azureml.data.tabular_dataset import TabularDataset
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse, refused

__all__ = ["FileDatasetFactory", "TabularDatasetFactory"]


class FileDatasetFactory:
    """Makes datasets of files."""

    @staticmethod
    def from_files(
        path: Any, validate: bool = True, partition_format: str | None = None, is_file: bool = False
    ) -> FileDataset:
        """Files at places: `(datastore, "path")`, a list of such, a DataPath, a local path, an address."""
        refuse("from_files", "paths are not parsed", "parse them in the step", partition_format=partition_format)
        return FileDataset._of(_places(path), is_file=is_file)

    @staticmethod
    def upload_directory(
        src_dir: str, target: Any, pattern: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> FileDataset:
        """Copies a folder into a datastore and makes a dataset of it."""
        refuse("upload_directory", "whole folders are copied", "copy what is wanted", pattern=pattern)
        datastore, inner = _target(target)
        datastore.upload(src_dir, inner, overwrite, show_progress)
        return FileDatasetFactory.from_files((datastore, inner))


class TabularDatasetFactory:
    """Makes datasets that are read as a table."""

    @staticmethod
    def from_delimited_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        infer_column_types: bool = True,
        set_column_types: Any = None,
        separator: str = ",",
        header: Any = True,
        partition_format: str | None = None,
        support_multi_line: bool = False,
        empty_as_string: bool = False,
        encoding: str = "utf8",
    ) -> TabularDataset:
        """A table of delimited text."""
        refuse(
            "from_delimited_files",
            "columns are read as pandas reads them",
            "convert them in the step",
            include_path=include_path,
            set_column_types=set_column_types,
            partition_format=partition_format,
            empty_as_string=empty_as_string,
        )
        table = {
            "format": "delimited",
            "separator": separator,
            "header": getattr(header, "name", header) not in (False, "NO_HEADERS"),
            "encoding": encoding,
            "types": infer_column_types,
        }
        return TabularDataset._of(_places(path), table=table)

    @staticmethod
    def from_parquet_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Any = None,
        partition_format: str | None = None,
    ) -> TabularDataset:
        """A table in Parquet."""
        refuse(
            "from_parquet_files",
            "columns are read as they are",
            "convert them in the step",
            include_path=include_path,
            set_column_types=set_column_types,
            partition_format=partition_format,
        )
        return TabularDataset._of(_places(path), table={"format": "parquet"})

    @staticmethod
    def from_json_lines_files(
        path: Any,
        validate: bool = True,
        include_path: bool = False,
        set_column_types: Any = None,
        partition_format: str | None = None,
        invalid_lines: str = "error",
        encoding: str = "utf8",
    ) -> TabularDataset:
        """A table of one JSON object a line."""
        refuse(
            "from_json_lines_files",
            "columns are read as they are",
            "convert them in the step",
            include_path=include_path,
            set_column_types=set_column_types,
            partition_format=partition_format,
        )
        if invalid_lines != "error":
            raise not_supported(f"invalid_lines={invalid_lines!r}", "a bad line is an error", "clean the file first")
        return TabularDataset._of(_places(path), table={"format": "jsonl", "encoding": encoding})

    from_sql_query = refused("from_sql_query", "data is files", "query in a first step, with the password as a secret")
    register_spark_dataframe = refused("register_spark_dataframe", "there is no Spark here", "write it in a Spark step")
    register_dask_dataframe = refused(
        "register_dask_dataframe", "data is files", "write files, then from_parquet_files"
    )

    @staticmethod
    def register_pandas_dataframe(
        dataframe: Any,
        target: Any,
        name: str,
        description: str | None = None,
        tags: Any = None,
        show_progress: bool = True,
        row_group_size: int | None = None,
        make_target_path_unique: bool = True,
    ) -> Any:
        """Writes a data frame to a datastore as Parquet and registers it as a new version."""
        datastore, inner = _target(target)
        with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
            file = Path(folder) / f"{as_name(name)}.parquet"
            dataframe.to_parquet(file)
            datastore.upload_files([os.fspath(file)], None, inner, True, show_progress)
        made = TabularDatasetFactory.from_parquet_files((datastore, f"{inner}/{as_name(name)}.parquet"))
        return made.register(datastore.workspace, name, description, tags, create_new_version=True)


def _places(path: Any) -> list[str]:
    """Where a dataset is, as texts."""
    if isinstance(path, (str, os.PathLike)):
        text = os.fspath(path)
        return [text if "://" in text else str(Path(text).absolute())]
    if isinstance(path, DataPath) or hasattr(path, "_place"):
        return [str(path._place())]
    if isinstance(path, tuple) and len(path) == 2 and hasattr(path[0], "_place"):
        inner = path[1]
        return (
            _places([(path[0], each) for each in inner])
            if isinstance(inner, (list, tuple))
            else [str(path[0]._place(inner))]
        )
    if isinstance(path, Sequence) and path:
        return [place for each in path for place in _places(each)]
    raise UserErrorException(f"{path!r} is no place of files", code="bad_path", hint='give (datastore, "path")')


def _target(target: Any) -> tuple[Any, str]:
    if isinstance(target, DataPath):
        return target._datastore, target.path_on_datastore or ""
    if isinstance(target, tuple) and len(target) == 2:
        return target[0], str(target[1])
    if hasattr(target, "upload_files"):
        return target, ""
    raise UserErrorException(f"{target!r} is no place in a datastore", code="bad_path", hint='give (datastore, "path")')
