"""Datasets in a step: the files that it was given, under the names of its inputs."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, List, Optional

from .table import read_table

__all__ = ["Dataset", "Datastore", "given_datasets", "made_datasets"]

_INPUT = "TIDEMILL_INPUT_"
_OUTPUT = "TIDEMILL_OUTPUT_"
_ELSEWHERE = (
    "a step is given its data as inputs, and sees no other: name it as an input of the step "
    "(Dataset.get_by_name(…).as_named_input(NAME)), and take it from Run.get_context().input_datasets[NAME]"
)


class GivenDataset:
    """An input of the step, as a dataset."""

    def __init__(self, place: str, how: Optional[Dict[str, Any]]) -> None:
        self._place = place
        self._how = how or {}

    def to_pandas_dataframe(self, on_error: str = "null", out_of_range_datetime: str = "null") -> Any:
        """The table."""
        return read_table(self._place, self._how)

    def to_path(self) -> List[str]:
        """The paths of its files, as `/a/b.csv`."""
        root = Path(self._place)
        if root.is_file():
            return ["/" + root.name]
        return ["/" + path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]

    def download(
        self, target_path: Optional[str] = None, overwrite: bool = False, ignore_not_found: bool = False
    ) -> List[str]:
        """Copies its files."""
        root = Path(self._place)
        copied = []
        for inner in self.to_path():
            source = root if root.is_file() else root / inner[1:]
            place = Path(target_path or ".") / inner[1:]
            if not place.exists() or overwrite:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(source), str(place))
            copied.append(str(place))
        return copied

    def mount(self, mount_point: Optional[str] = None) -> "_Mounted":
        """Where its files are already."""
        return _Mounted(self._place)

    def __fspath__(self) -> str:
        return self._place

    def __str__(self) -> str:
        return self._place


class _Mounted:
    def __init__(self, place: str) -> None:
        self.mount_point = place

    def start(self) -> None:
        """It is there already."""

    def stop(self) -> None:
        """It stays until the step ends."""

    def __enter__(self) -> "_Mounted":
        return self

    def __exit__(self, *_: Any) -> None:
        pass


class Dataset:
    """Datasets by what a step was given as their id: the path of an input."""

    @classmethod
    def get_by_id(cls, workspace: Any, id: str) -> GivenDataset:
        """The input whose path was given as an argument."""
        for name, place in _with_prefix(_INPUT).items():
            if place == str(id):
                return GivenDataset(place, _tables().get(name))
        raise RuntimeError("%r is no input of this step: %s" % (id, _ELSEWHERE))

    @classmethod
    def get_by_name(cls, workspace: Any, name: str, version: Any = "latest") -> GivenDataset:
        """The input of this name."""
        place = _with_prefix(_INPUT).get(name)
        if place is None:
            raise RuntimeError("this step has no input %r: %s" % (name, _ELSEWHERE))
        return GivenDataset(place, _tables().get(name))


class Datastore:
    """Not in a step: it has inputs and outputs."""

    def __init__(self, workspace: Any = None, name: Optional[str] = None) -> None:
        raise RuntimeError("a step has no datastores: " + _ELSEWHERE)

    @staticmethod
    def get(workspace: Any, datastore_name: str) -> "Datastore":
        """Not in a step."""
        return Datastore(workspace, datastore_name)


def given_datasets() -> Dict[str, Any]:
    """What the step was given: tables where a table was given, paths otherwise."""
    tables = _tables()
    found: Dict[str, Any] = dict(_with_prefix(_INPUT))
    for name, how in tables.items():
        if name in found:
            found[name] = GivenDataset(found[name], how)
    return found


def made_datasets() -> Dict[str, str]:
    """Where the step's outputs are to be written."""
    return _with_prefix(_OUTPUT)


def _tables() -> Dict[str, Dict[str, Any]]:
    found: Dict[str, Dict[str, Any]] = json.loads(os.environ.get("AZUREML_STEP_TABLES", "{}"))
    return found


def _with_prefix(prefix: str) -> Dict[str, str]:
    return {name[len(prefix) :]: value for name, value in os.environ.items() if name.startswith(prefix)}
