"""Models: files under a name with versions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_name, as_port
from tidemill.azureml._ports import Given
from tidemill.azureml._step.core.model import Framework
from tidemill.azureml._step.core.model import Model as ModelInside
from tidemill.azureml.data.abstract_dataset import _copied
from tidemill.azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from tidemill.azureml.exceptions import ModelNotFoundException, UserErrorException, refuse, refused
from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from tidemill import AssetVersion
    from tidemill.azureml.core.workspace import Workspace

__all__ = ["Model"]


class Model:
    """A version of a model."""

    Framework = Framework

    def __init__(
        self,
        workspace: Workspace,
        name: str | None = None,
        id: str | None = None,
        tags: Any = None,
        properties: Any = None,
        version: Any = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,
    ) -> None:
        if id is not None:
            name, _, version = id.partition(":")
        if name is None:
            raise UserErrorException("name the model", code="no_name")
        refuse("Model", "a name and a version say which", "Model.list(…)", properties=properties, run_id=run_id)
        self.workspace = workspace
        try:
            self._version: AssetVersion = workspace._client.models.get(as_name(name), version)
        except NotFoundError as error:
            raise ModelNotFoundException(f"there is no model {name}", code="not_found", hint=error.hint) from error
        wanted = _pairs(tags)
        if any(self._version.tags.get(key) != value for key, value in wanted.items() if value is not None):
            raise ModelNotFoundException(f"{name} has not the tags {wanted}", code="not_found")

    @classmethod
    def _of(cls, workspace: Workspace, version: AssetVersion) -> Model:
        made = cls.__new__(cls)
        made.workspace = workspace
        made._version = version
        return made

    @staticmethod
    def register(
        workspace: Workspace,
        model_path: str,
        model_name: str,
        tags: Any = None,
        properties: Any = None,
        description: str | None = None,
        datasets: Any = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> Model:
        """Keeps a file or folder of this machine as a version of a model."""
        refuse(
            "Model.register",
            "a model is files with tags",
            "say it in tags",
            datasets=datasets,
            child_paths=child_paths,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )
        about = {
            **_pairs(tags),
            **_pairs(properties),
            **({"framework": model_framework} if model_framework else {}),
            **({"framework_version": model_framework_version} if model_framework_version else {}),
        }
        version = workspace._client.models.register(
            as_name(model_name), Path(model_path), description=description or "", tags=about
        )
        return Model._of(workspace, version)

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: Workspace | None = None) -> str:
        """In a step, the path of the input of this name; elsewhere the path of a copy on this machine."""
        if _workspace is None:
            return ModelInside.get_model_path(model_name, version)
        return _copied(Model(_workspace, model_name, version=version)._version)

    @staticmethod
    def list(
        workspace: Workspace,
        name: str | None = None,
        tags: Any = None,
        properties: Any = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> list[Model]:
        """Models, each version by itself, or only the latest."""
        refuse("Model.list", "models have none", "choose by tags", properties=properties, dataset_id=dataset_id)
        wanted = {**_pairs(tags), **({"framework": model_framework} if model_framework else {})}
        models = workspace._client.models
        found = []
        for asset in [models[as_name(name)]] if name else models.list():
            for version in asset.versions(limit=1 if latest else None):
                fits = all(version.tags.get(key) == value for key, value in wanted.items() if value is not None)
                if fits and run_id in (None, version.origin.get("run"), version.tags.get("azureml.run")):
                    found.append(Model._of(workspace, version))
        return found

    @property
    def name(self) -> str:
        """The model's name."""
        return self._version.name

    @property
    def version(self) -> int | str:
        """The version."""
        return int(self._version.version) if self._version.version.isdigit() else self._version.version

    @property
    def id(self) -> str:
        """`NAME:VERSION`."""
        return f"{self.name}:{self.version}"

    @property
    def description(self) -> str:
        """Free text."""
        return self._version.description

    @property
    def tags(self) -> dict[str, str]:
        """Labels for people."""
        return self._version.tags

    properties = tags

    @property
    def run_id(self) -> str | None:
        """The run that made it, as far as known."""
        return self._version.origin.get("run") or self._version.tags.get("azureml.run")

    def download(self, target_dir: str = ".", exist_ok: bool = False, exists_ok: bool | None = None) -> str:
        """Brings its files to this machine; answers with their path."""
        artifact = self._version.artifact
        name = self._version.tags.get("azureml.file", artifact.name.rpartition("/")[2])
        place = Path(target_dir) / name
        if place.exists():
            if not (exist_ok or exists_ok):
                raise UserErrorException(f"{place} is there already", code="exists", hint="exist_ok=True")
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink()
        return str(artifact.download(place))

    def update(
        self,
        tags: Any = None,
        description: str | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> None:
        """Changes what people read about it."""
        refuse(
            "Model.update", "a model is files with tags", "say it in tags", sample_input_dataset=sample_input_dataset
        )
        self._version.describe(description=description, tags=_pairs(tags) or None)

    def add_tags(self, tags: Any) -> None:
        """Adds labels."""
        self._version.describe(tags=_pairs(tags))

    def add_properties(self, properties: Any) -> None:
        """Adds labels."""
        self._version.describe(tags=_pairs(properties))

    def remove_tags(self, tags: Any) -> None:
        """Removes labels."""
        self._version.describe(tags=dict.fromkeys([tags] if isinstance(tags, str) else tags))

    def delete(self) -> None:
        """Removes this version; takes an operator."""
        self._version.remove()

    def as_input(self, name: str | None = None) -> DatasetConsumptionConfig:
        """It as an input of a step, where `Model.get_model_path` finds it; ours, azureml has none."""
        return DatasetConsumptionConfig(name or self.name, self).as_mount()

    deploy = refused("Model.deploy", "services are no part of tidemill", "download it, and serve it where you serve")
    package = deploy
    profile = deploy

    def _as_given(self) -> Given:
        # An input of this type is looked up among models first.
        return Given(as_port(self.name), "custom_model", f"azureml:{self.id}")

    def __repr__(self) -> str:
        return f"Model(name={self.name}, id={self.id}, version={self.version}, tags={self.tags})"


def register_artifact(
    workspace: Workspace, name: str, found: Any, tags: Mapping[str, str], description: str | None, run: str
) -> Model:
    """Keeps what a step left as a version of a model."""
    about = {**tags, "azureml.run": run}
    models = workspace._client.models
    if not isinstance(found, list):
        about["azureml.file"] = found.name.rpartition("/")[2]
        return Model._of(workspace, models.register(as_name(name), found, description=description or "", tags=about))
    with tempfile.TemporaryDirectory(prefix="tidemill-") as folder:
        for inner, artifact in found:
            place = Path(folder) / "model" / inner
            place.parent.mkdir(parents=True, exist_ok=True)
            artifact.download(place)
        version = models.register(as_name(name), Path(folder) / "model", description=description or "", tags=about)
    return Model._of(workspace, version)


def _pairs(tags: Any) -> dict[str, Any]:
    """Tags as azureml takes them: a mapping, or a list of names and pairs."""
    if tags is None:
        return {}
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    found: dict[str, Any] = {}
    for tag in [tags] if isinstance(tags, str) else tags:
        if isinstance(tag, str):
            found[tag] = None
        else:
            found[str(tag[0])] = str(tag[1])
    return found
