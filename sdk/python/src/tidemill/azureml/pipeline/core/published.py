"""Published pipelines: versions of a pipeline that anybody may start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidemill._http import part
from tidemill._values import fresh_key, parameter_texts
from tidemill.azureml._names import as_name
from tidemill.azureml.exceptions import in_azureml_words, not_supported, refuse, refused
from tidemill.azureml.pipeline.core.graph import parameters_of

if TYPE_CHECKING:
    from tidemill import AssetVersion
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.run import PipelineRun

__all__ = ["PublishedPipeline", "publish", "start"]

VERSION_TAG = "azureml.version"
STATUS = {"active": "Active", "deprecated": "Deprecated", "disabled": "Disabled"}
SUBMIT = "/azureml/v1.0/PipelineRuns/PipelineSubmit/"


class PublishedPipeline:
    """A version of a pipeline that anybody may start, by its id `NAME:VERSION` or by a POST to its `endpoint`."""

    def __init__(
        self,
        name: str,
        graph_id: str | None,
        description: str | None,
        version: str | None,
        published_pipeline_id: str,
        status: str,
        endpoint: str,
        total_run_steps: int | None,
        workspace: Workspace,
        continue_on_step_failure: bool | None = None,
    ) -> None:
        self.name = name
        self.graph_id = graph_id
        self.description = description
        self.version = version
        self.id = published_pipeline_id
        self._status = status
        self.endpoint = endpoint
        self.total_run_steps = total_run_steps
        self.workspace = workspace
        self.continue_on_step_failure = continue_on_step_failure

    @staticmethod
    def get(workspace: Workspace, id: str) -> PublishedPipeline:
        """A published pipeline by its id, `NAME:VERSION`, or in its default version by its name."""
        return published(workspace, _version(workspace, id))

    @staticmethod
    def list(workspace: Workspace, active_only: bool = True) -> Any:
        """All versions of all published pipelines."""
        stage = "active" if active_only else None
        return [
            published(workspace, version)
            for asset in workspace._client.pipelines
            for version in asset.versions(stage=stage)
        ]

    get_all = list

    @property
    def status(self) -> str:
        """Active, Deprecated or Disabled."""
        return self._status

    def submit(
        self,
        workspace: Workspace,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        parent_run_id: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> PipelineRun:
        """Starts a run of it."""
        refuse("PublishedPipeline.submit", "a run stands by itself", "leave it out", parent_run_id=parent_run_id)
        name, _, version = self.id.partition(":")
        return start(workspace, name, version or None, experiment_name, pipeline_parameters, continue_on_step_failure)

    def enable(self) -> None:
        """Lets it be started again."""
        self._stage("active")

    def disable(self) -> None:
        """Lets it be started no more."""
        self._stage("disabled")

    def get_step_names(self) -> Any:
        """The names of its steps."""
        spec = spec_of(_version(self.workspace, self.id))
        graph = spec["components"][spec["root"]]["body"]["graph"]
        return [step.get("display_name") or step["name"] for step in graph["steps"]]

    get_graph = refused("get_graph", "azureml's graph objects do not exist here", "get_step_names()")
    save = refused("save", "azureml's pipeline files are not written", "keep the notebook")

    def _submit(self, experiment_name: str, **options: Any) -> PipelineRun:
        return self.submit(self.workspace, experiment_name, **options)

    def _stage(self, stage: str) -> None:
        _version(self.workspace, self.id).describe(stage=stage)
        self._status = STATUS[stage]

    def __repr__(self) -> str:
        return f"Pipeline(Name: {self.name}, Id: {self.id}, Status: {self.status}, Endpoint: {self.endpoint})"

    def _repr_html_(self) -> str:
        from html import escape

        cells = [self.name, self.id, self.status, self.endpoint]
        row = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        return f"<table><tr><th>Name</th><th>Id</th><th>Status</th><th>Endpoint</th></tr><tr>{row}</tr></table>"


def publish(
    workspace: Workspace, drawn: Any, name: str, description: str | None, version: str | None
) -> PublishedPipeline:
    """Freezes a pipeline under a name, as its default version."""
    tags = {VERSION_TAG: str(version)} if version is not None else None
    with in_azureml_words():
        added = workspace._client.publish(
            drawn, as_name(name), description=description or "", tags=tags, labels=["default"]
        )
    return published(workspace, added)


def published(workspace: Workspace, version: AssetVersion) -> PublishedPipeline:
    """A version of the catalog in azureml's words."""
    identity = f"{version.name}:{version.version}"
    return PublishedPipeline(
        version.name,
        None,
        version.description,
        version.tags.get(VERSION_TAG, version.version),
        identity,
        STATUS.get(version.stage, version.stage),
        workspace._client.url + SUBMIT + identity,
        None,
        workspace,
    )


def start(
    workspace: Workspace,
    name: str,
    version: str | None,
    experiment_name: str,
    pipeline_parameters: Mapping[str, Any] | None,
    continue_on_step_failure: bool | None = None,
) -> PipelineRun:
    """Starts a run of a published pipeline."""
    from tidemill import Run
    from tidemill.azureml.core.experiment import Experiment
    from tidemill.azureml.pipeline.core.run import PipelineRun

    texts = {
        key: str(value) for key, value in parameters_of(pipeline_parameters).items() if hasattr(value, "__fspath__")
    }
    if texts:
        raise not_supported(
            f"local data as `{next(iter(texts))}` of a published pipeline",
            "only its name goes along",
            "register it as a dataset, and give its name as `azureml:NAME`",
        )
    body: dict[str, Any] = {
        "parameters": parameter_texts(parameters_of(pipeline_parameters)),
        "experiment": as_name(experiment_name),
        "idempotency_key": fresh_key(),
    }
    if continue_on_step_failure is not None:
        body["continue_on_step_failure"] = continue_on_step_failure
    http = workspace._client._http
    path = f"/api/v1/pipelines/{part(name)}/runs"
    view = http.json("POST", path, query={"version": version}, body=body, repeatable=True)
    started: PipelineRun = PipelineRun._of(Experiment(workspace, experiment_name), Run(http, view))
    return started


def spec_of(version: AssetVersion) -> dict[str, Any]:
    """What is frozen in a version."""
    from tidemill import Artifact

    body = next(iter(version.view["body"].values()))
    spec: dict[str, Any] = json.loads(Artifact(version._http, body["spec"], version.name).read_bytes())
    return spec


def _version(workspace: Workspace, id: str) -> AssetVersion:
    name, _, version = id.partition(":")
    asset = workspace._client.pipelines[as_name(name)]
    return asset[version or ("default" if "default" in asset.labels else "latest")]
