"""Pipeline endpoints: one name and address in front of versions, one of which is the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_name
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse
from tidemill.azureml.pipeline.core.published import STATUS, SUBMIT, PublishedPipeline, published, spec_of, start

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.run import PipelineRun

__all__ = ["PipelineEndpoint"]


class PipelineEndpoint:
    """A name in front of versions of a pipeline. It is that pipeline's name in the catalog; its versions are numbered from 1."""

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str,
        description: str,
        status: str,
        default_version: str,
        endpoint: str,
        pipeline_version_list: Any,
    ) -> None:
        self.workspace = workspace
        self.id = id
        self.name = name
        self.description = description
        self._status = status
        self._default = default_version
        self.endpoint = endpoint
        self.pipeline_version_list = list(pipeline_version_list)

    @staticmethod
    def publish(workspace: Workspace, name: str, description: str, pipeline: Any) -> PipelineEndpoint:
        """Puts a pipeline behind a name, as its default version."""
        _add(workspace, as_name(name), pipeline, description, is_default=True)
        return PipelineEndpoint.get(workspace, name=name)

    @staticmethod
    def get(workspace: Workspace, id: str | None = None, name: str | None = None) -> PipelineEndpoint:
        """An endpoint by its name, which is its id too."""
        asset = workspace._client.pipelines[as_name(id or name or "")]
        versions = list(asset.versions())
        default = asset.labels.get("default", versions[0].version)
        stages = {version.stage for version in versions}
        return PipelineEndpoint(
            workspace,
            asset.name,
            asset.name,
            versions[0].description,
            "Active" if "active" in stages else STATUS[versions[0].stage],
            default,
            workspace._client.url + SUBMIT + asset.name,
            [version.version for version in versions],
        )

    @staticmethod
    def list(workspace: Workspace, active_only: bool = True, max_results: int = 100) -> list[PipelineEndpoint]:
        """All of them."""
        assets = workspace._client.pipelines.list(limit=max_results)
        found = [PipelineEndpoint.get(workspace, asset.name) for asset in assets]
        return [endpoint for endpoint in found if not active_only or endpoint.status == "Active"]

    @staticmethod
    def get_all(workspace: Workspace, active_only: bool = True) -> Any:
        """All of them."""
        return PipelineEndpoint.list(workspace, active_only)

    @property
    def status(self) -> str:
        """Active, Deprecated or Disabled."""
        return self._status

    @property
    def default_version(self) -> str:
        """The version that is started when none is named."""
        return self._default

    @property
    def swaggerurl(self) -> str:
        """The description of the API."""
        return f"{self.workspace._client.url}/api/v1/openapi.json"

    def get_default_version(self) -> str:
        """The version that is started when none is named."""
        return self._default

    def get_pipeline(self, version: str | None = None) -> PublishedPipeline:
        """A version; the default one when none is named."""
        asset = self.workspace._client.pipelines[self.id]
        return published(self.workspace, asset[version or self._default])

    def list_versions(self) -> Any:
        """The versions' numbers, the newest first."""
        return [version.version for version in self.workspace._client.pipelines[self.id].versions()]

    get_all_versions = list_versions

    def list_pipelines(self, active_only: bool = True) -> Any:
        """The versions."""
        stage = "active" if active_only else None
        versions = self.workspace._client.pipelines[self.id].versions(stage=stage)
        return [published(self.workspace, version) for version in versions]

    get_all_pipelines = list_pipelines

    def add(self, pipeline: Any) -> None:
        """Adds a version."""
        _add(self.workspace, self.id, pipeline, self.description, is_default=False)

    def add_default(self, pipeline: Any) -> None:
        """Adds a version, which becomes the default."""
        self._default = _add(self.workspace, self.id, pipeline, self.description, is_default=True)

    def set_default_version(self, version: str) -> None:
        """Makes a version the default."""
        self.workspace._client.pipelines[self.id][version].label("default")
        self._default = version

    def set_default(self, pipeline: PublishedPipeline) -> None:
        """Makes a version the default."""
        name, _, version = pipeline.id.partition(":")
        if name != self.id:
            raise UserErrorException(f"{pipeline.id} is no version of {self.id}", code="bad_version", hint="add it")
        self.set_default_version(version)

    def set_name(self, name: str) -> None:
        """Not here: it is called by its name."""
        raise not_supported("set_name", "it is called by its name", "publish another endpoint")

    def enable(self) -> None:
        """Lets its versions be started again."""
        self._stage("active")

    def disable(self) -> None:
        """Lets its versions be started no more."""
        self._stage("disabled")

    def archive(self) -> None:
        """Lets its versions be started no more."""
        self.disable()

    def reactivate(self, name: str) -> None:
        """Lets its versions be started again."""
        self.enable()

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        parent_run_id: str | None = None,
        pipeline_version: str | None = None,
    ) -> PipelineRun:
        """Starts a run of a version; of the default one when none is named."""
        refuse("PipelineEndpoint.submit", "a run stands by itself", "leave it out", parent_run_id=parent_run_id)
        return start(self.workspace, self.id, pipeline_version, experiment_name, pipeline_parameters)

    def _submit(self, experiment_name: str, **options: Any) -> PipelineRun:
        return self.submit(experiment_name, **options)

    def _stage(self, stage: str) -> None:
        for version in self.workspace._client.pipelines[self.id].versions():
            version.describe(stage=stage)
        self._status = STATUS[stage]

    def __repr__(self) -> str:
        return f"PipelineEndpoint(Name: {self.name}, Default version: {self._default}, Endpoint: {self.endpoint})"


def _add(workspace: Workspace, name: str, pipeline: Any, description: str, *, is_default: bool) -> str:
    """Adds a version: of a pipeline, or of one that is published under another name."""
    client = workspace._client
    labels = ["default"] if is_default else []
    if isinstance(pipeline, PublishedPipeline):
        owner, _, version = pipeline.id.partition(":")
        if owner == name:
            if is_default:
                client.pipelines[name][version].label("default")
            return version
        frozen = client.pipelines[owner][version]
        again = client.pipelines._add(
            name,
            {"pipeline": spec_of(frozen)},
            version=None,
            description=description or frozen.description,
            tags=frozen.tags,
            labels=labels,
        )
        return again.version
    added = client.publish(pipeline._drawn(name), name, description=description, labels=labels)
    return added.version
