"""Datasets: files or a table at some places, by name once they are registered. A version of the catalog never changes; a place that is not registered is read when a pipeline is submitted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill.azureml._names import as_name, as_port
from tidemill.azureml._ports import FOLDER, Given, data_type
from tidemill.azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from tidemill.azureml.exceptions import UserErrorException, not_supported
from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from tidemill import AssetVersion
    from tidemill.azureml.core.workspace import Workspace

__all__ = ["AbstractDataset"]

KIND_TAG = "azureml.dataset"
READ_TAG = "azureml.read"
Self = TypeVar("Self", bound="AbstractDataset")


class AbstractDataset:
    """Files or a table."""

    _kind = "FileDataset"

    def __init__(self) -> None:
        raise UserErrorException(
            "datasets are made of files", code="bad_dataset", hint="Dataset.File.from_files(…), Dataset.Tabular.from_…"
        )

    @classmethod
    def _of(cls: type[Self], places: Sequence[str], *, is_file: bool = False, table: Any = None) -> Self:
        made = cls.__new__(cls)
        made._places = list(places)
        made._is_file = is_file
        made._table = table
        made._version = None
        return made

    _places: list[str]
    _is_file: bool
    _table: Mapping[str, Any] | None
    _version: AssetVersion | None

    @classmethod
    def get_by_name(cls, workspace: Workspace, name: str, version: str | int = "latest") -> Any:
        """A registered dataset."""
        found = workspace._client.data.get(as_name(name), str(version))
        return _registered(found)

    @classmethod
    def get_by_id(cls, workspace: Workspace, id: str) -> Any:
        """A registered dataset by its id, `NAME:VERSION`."""
        name, _, version = id.partition(":")
        return cls.get_by_name(workspace, name, version or "latest")

    @staticmethod
    def get_all(workspace: Workspace) -> dict[str, Any]:
        """The registered datasets, each in its latest version, by name."""
        return {asset.name: _registered(asset.latest) for asset in workspace._client.data.list()}

    @property
    def name(self) -> str | None:
        """Its name, once it is registered."""
        return self._version.name if self._version else None

    @property
    def version(self) -> int | str | None:
        """Its version, once it is registered."""
        if self._version is None:
            return None
        return int(self._version.version) if self._version.version.isdigit() else self._version.version

    @property
    def id(self) -> str | None:
        """`NAME:VERSION`, once it is registered."""
        return f"{self._version.name}:{self._version.version}" if self._version else None

    @property
    def description(self) -> str | None:
        """Free text."""
        return self._version.description if self._version else None

    @property
    def tags(self) -> dict[str, str]:
        """Labels for people."""
        found = self._version.tags if self._version else {}
        return {key: value for key, value in found.items() if not key.startswith("azureml.")}

    def as_named_input(self, name: str) -> DatasetConsumptionConfig:
        """It as an input of a step."""
        return DatasetConsumptionConfig(name, self)

    def register(
        self,
        workspace: Workspace,
        name: str,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        create_new_version: bool = False,
    ) -> Any:
        """Keeps it under a name. What is there under it stays what it is; something else is another version, if `create_new_version` says so."""
        data, asset = workspace._client.data, as_name(name)
        if not create_new_version and asset in data:
            known = data.get(asset)
            if known.tags.get(READ_TAG) == self._read_tag().get(READ_TAG) and known.description == (description or ""):
                return _registered(known)
            raise UserErrorException(
                f"there is a dataset `{name}` already", code="exists", hint="create_new_version=True adds a version"
            )
        if self._version is not None:
            raise UserErrorException(f"{self} is registered already", code="exists", hint="it is a version, for ever")
        place = self._place()
        source: Any = place if "://" in place else Path(place)
        kind = self._type() if "://" in place else None
        about = {**(tags or {}), **self._read_tag(), KIND_TAG: self._kind}
        return _registered(data.register(asset, source, type=kind, description=description or "", tags=about))

    def update(self, description: str | None = None, tags: Mapping[str, str] | None = None) -> Any:
        """Changes what people read about a registered dataset."""
        self._registered_version().describe(description=description, tags=dict(tags) if tags else None)
        return self

    def add_tags(self, tags: Mapping[str, str] | None = None) -> Any:
        """Adds labels to a registered dataset."""
        return self.update(tags=tags)

    def remove_tags(self, tags: Sequence[str] | None = None) -> Any:
        """Removes labels from a registered dataset."""
        self._registered_version().describe(tags=dict.fromkeys(tags or []))
        return self

    def unregister_all_versions(self) -> None:
        """Takes every version of it out of use; nothing is deleted."""
        version = self._registered_version()
        from tidemill import Asset

        for found in Asset(version._http, {"kind": version.kind, "name": version.name}).versions():
            found.describe(stage="disabled")

    def _registered_version(self) -> AssetVersion:
        if self._version is None:
            raise UserErrorException("the dataset is not registered", code="not_registered", hint="register it first")
        return self._version

    def _read_tag(self) -> dict[str, str]:
        return {READ_TAG: json.dumps(self._table, sort_keys=True)} if self._table else {}

    def _type(self) -> str:
        if self._version is not None:
            return str(next(iter(self._version.view["body"].values()))["type"])
        place = self._place()
        return data_type(place) if self._table or self._is_file or "://" in place else FOLDER

    def _place(self) -> str:
        """Where it is, as one place: its name, once it is registered."""
        if self._version is not None:
            return f"azureml:{self.id}"
        if len(self._places) == 1 and "*" not in self._places[0]:
            place = self._places[0]
            one_file = "://" not in place and Path(place).is_file()
            if self._is_file or self._table or "://" in place or not one_file:
                return place
        return _gathered(self._places)

    def _as_given(self) -> Given:
        return Given(as_port(self.name or "dataset"), self._type(), self._place(), table=self._table)

    def _files(self) -> list[Path]:
        """Its files on this machine."""
        place = Path(self._local())
        return [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())

    def _local(self) -> str:
        place = _copied(self._version) if self._version is not None else self._place()
        if "://" in place:
            raise not_supported(
                f"reading {place} here", "an address is read by steps", "read it in a step, or download it yourself"
            )
        return place

    def __repr__(self) -> str:
        about = self.id or ", ".join(self._places)
        return f"<{self._kind} {about}>"


def _registered(version: AssetVersion) -> Any:
    """A version of the catalog as the kind of dataset that it was."""
    from tidemill.azureml.data.file_dataset import FileDataset
    from tidemill.azureml.data.tabular_dataset import TabularDataset

    kind = TabularDataset if version.tags.get(KIND_TAG) == "TabularDataset" else FileDataset
    read = version.tags.get(READ_TAG)
    made = kind._of([], table=json.loads(read) if read else None)
    made._version = version
    return made


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "tidemill" / "azureml"


def _copied(version: AssetVersion) -> str:
    """A registered dataset on this machine: its content is its name, so a copy never grows old."""
    location = version.view["body"]
    address = next(iter(location.values())).get("location", {}).get("uri")
    if address is not None:
        return str(address)
    artifact = version.artifact
    place = _cache() / f"{artifact.kind}-{artifact.digest}"
    if not place.exists():
        artifact.download(place)
    return os.fspath(place)


def _gathered(places: Sequence[str]) -> str:
    """Several files, or those that a pattern names, as one folder. The same files make the same folder."""
    if any("://" in place for place in places):
        raise not_supported(
            "a dataset of several addresses",
            "an input is one place",
            "make one dataset for each, or fetch them in a step",
        )
    found: dict[str, Path] = {}
    for place in places:
        root, matches = _matches(place)
        for path in matches:
            found[path.relative_to(root).as_posix()] = path
    if not found:
        raise NotFoundError(f"there is nothing at {', '.join(places)}", code="not_found")
    about = [
        [name, os.fspath(path), path.stat().st_size, path.stat().st_mtime_ns] for name, path in sorted(found.items())
    ]
    folder = _cache() / f"gathered-{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]}"
    if not folder.exists():
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        for name, path in found.items():
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        draft.replace(folder)
    return os.fspath(folder)


def _matches(place: str) -> tuple[Path, list[Path]]:
    """The files that a place or a pattern names, and the folder below which their names count."""
    if "*" not in place:
        path = Path(place)
        if path.is_file():
            return path.parent, [path]
        return path, sorted(found for found in path.rglob("*") if found.is_file())
    fixed = place.split("*", 1)[0].rpartition("/")[0]
    pattern = place[len(fixed) + 1 :]
    # `/**` means everything below, as there.
    pattern = f"{pattern}/*" if pattern.endswith("**") else pattern
    root = Path(fixed or "/")
    return root, sorted(found for found in root.glob(pattern) if found.is_file())
