"""Datastores: places for data under a name. One that nobody defined is a folder of this machine; data in a folder is taken along by content when a pipeline that names it is submitted.

Outputs of steps are in the artifact store, not here.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill._config import settings_files, workspace_texts
from tidemill.azureml._names import as_port
from tidemill.azureml.exceptions import UserErrorException, not_supported, refused
from tidemill.errors import NotFoundError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.data.data_reference import DataReference

__all__ = ["Datastore"]


class Datastore:
    """A place for data. `[datastores]` of `tidemill.toml`, or the coordinator, may say where it is; otherwise it is a folder of this machine."""

    def __init__(self, workspace: Workspace, name: str | None = None) -> None:
        self.workspace = workspace
        self.name = name or workspace._default_datastore

    @staticmethod
    def get(workspace: Workspace, datastore_name: str) -> Datastore:
        """The datastore of this name."""
        return Datastore(workspace, datastore_name)

    @staticmethod
    def get_default(workspace: Workspace) -> Datastore:
        """The datastore that is meant when none is named."""
        return workspace.get_default_datastore()

    @property
    def datastore_type(self) -> str:
        """A folder, or an address."""
        return "Folder" if self._folder() is not None else "Address"

    def set_as_default(self) -> None:
        """Makes it the default of its workspace object."""
        self.workspace.set_default_datastore(self.name)

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """What stands at a path in it."""
        from tidemill.azureml.data.data_reference import DataReference

        return DataReference(self, data_reference_name or (as_port(path) if path else None), path)

    def as_mount(self) -> DataReference:
        """All of it, to read."""
        return self.path().as_mount()

    def as_download(self, path_on_compute: str | None = None) -> DataReference:
        """All of it, as a copy of the step's own."""
        return self.path().as_download(path_on_compute)

    def upload(
        self, src_dir: str, target_path: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> DataReference:
        """Copies a folder into it."""
        root = Path(src_dir)
        if not root.is_dir():
            raise UserErrorException(f"there is no folder {root}", code="not_found")
        files = [os.fspath(path) for path in sorted(root.rglob("*")) if path.is_file()]
        return self.upload_files(files, src_dir, target_path, overwrite, show_progress)

    def upload_files(
        self,
        files: Sequence[str],
        relative_root: str | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copies files into it. A file that is there stays unless `overwrite` is set."""
        folder = self._own_folder("upload")
        for file in files:
            source = Path(file)
            if not source.is_file():
                raise UserErrorException(f"there is no file {file}", code="not_found")
            inner = (
                source.absolute().relative_to(Path(relative_root).absolute()) if relative_root else Path(source.name)
            )
            place = _below(folder, os.fspath(Path(target_path or "") / inner))
            if place.exists() and not overwrite:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            # A copy that takes its place at once: a run that is submitted meanwhile sees the old file or the new one.
            draft = place.with_name(f".{place.name}.{os.getpid()}")
            shutil.copyfile(source, draft)
            draft.replace(place)
            if show_progress:
                print(f"{file} -> {self.name}/{place.relative_to(folder)}")
        return self.path(target_path)

    def download(
        self, target_path: str, prefix: str | None = None, overwrite: bool = False, show_progress: bool = True
    ) -> int:
        """Copies what is below a path in it to this machine; answers with the number of files that were copied."""
        folder = self._own_folder("download")
        root = _below(folder, prefix or "")
        found = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        copied = 0
        for source in found:
            place = Path(target_path) / source.relative_to(folder)
            if place.exists() and not overwrite:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            copied += 1
        return copied

    unregister = refused("unregister", "who defines a datastore removes it", "edit `[datastores]` of tidemill.toml")
    register_azure_blob_container = refused(
        "registering a datastore from a notebook",
        "its credentials would have to be kept",
        'say where it is in tidemill.toml, as `[datastores]` NAME = "wasbs://…", or define it at the coordinator',
    )
    register_azure_file_share = register_azure_blob_container
    register_azure_data_lake = register_azure_blob_container
    register_azure_data_lake_gen2 = register_azure_blob_container
    register_azure_sql_database = register_azure_blob_container
    register_azure_postgre_sql = register_azure_blob_container
    register_azure_my_sql = register_azure_blob_container
    register_dbfs = register_azure_blob_container
    register_hdfs = register_azure_blob_container

    @staticmethod
    def _all(workspace: Workspace) -> dict[str, Datastore]:
        names = {workspace._default_datastore, *_defined()}
        if workspace._folder.is_dir():
            names.update(path.name for path in workspace._folder.iterdir() if path.is_dir())
        names.update(_kept(workspace))
        return {name: Datastore(workspace, name) for name in sorted(names)}

    def __repr__(self) -> str:
        return f"<Datastore {self.name}>"

    def _folder(self) -> Path | None:
        """The folder that it is, if it is one."""
        said = _defined().get(self.name)
        if said is not None:
            return None if "://" in os.fspath(said) else Path(said)
        if self.name in _kept(self.workspace):
            return None
        return self.workspace._folder / self.name

    def _own_folder(self, what: str) -> Path:
        folder = self._folder()
        if folder is None:
            raise not_supported(
                f"{what} with the datastore `{self.name}`",
                "it is an address, and only steps have what it takes to write there",
                "copy with the store's own tool, or use a datastore that is a folder",
            )
        return folder

    def _target(self, path: str | None) -> str:
        """What stands for a path in it to which workers are to write: they write only where an operator has said that they may."""
        if self._folder() is not None:
            raise not_supported(
                f"copying to the datastore `{self.name}`",
                "it is a folder of this machine, which the coordinator does not know, so its workers cannot write there",
                f"define it at the coordinator (`tidemill datastore add {self.name} file:///FOLDER`, `s3://…`), or read the "
                "output of the step that makes the data: step_run.get_output_data(NAME).download(PATH)",
            )
        return self._place(path)

    def _place(self, path: str | None) -> str:
        """What stands for a path in it in a pipeline."""
        folder = self._folder()
        if folder is None:
            return f"azureml://datastores/{self.name}/paths/{(path or '').lstrip('/')}"
        return os.fspath(_below(folder, path or ""))


def _below(folder: Path, path: str) -> Path:
    """A path in a datastore, which may not lead out of it."""
    inner = path.replace("\\", "/").strip("/")
    if ".." in inner.split("/"):
        raise UserErrorException(f"{path!r} leads out of the datastore", code="bad_path")
    return folder / inner if inner not in ("", ".") else folder


def _defined() -> dict[str, str]:
    """The datastores of the settings files: folders as absolute paths, addresses as they are."""
    found: dict[str, str] = {}
    if not settings_files():
        return found
    for path, text in workspace_texts(Path.cwd()):
        for name, place in tomllib.loads(text).get("datastores", {}).items():
            found[name] = place if "://" in str(place) else os.fspath((path.parent / str(place)).absolute())
    return found


def _kept(workspace: Workspace) -> list[str]:
    """The datastores that the coordinator keeps, if it does."""
    try:
        found = workspace._client._http.json("GET", "/api/v1/datastores")
    except NotFoundError:
        return []
    return [view["name"] for view in found]
