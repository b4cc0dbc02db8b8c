"""Pipeline drafts: pipelines to change, submit and publish, kept by the coordinator under their names."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidemill._values import parameter_texts
from tidemill.azureml._names import as_name
from tidemill.azureml.exceptions import UserErrorException, in_azureml_words, not_supported, refused
from tidemill.azureml.pipeline.core.graph import parameters_of
from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from tidemill._drafts import Draft
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.published import PublishedPipeline
    from tidemill.azureml.pipeline.core.run import PipelineRun

__all__ = ["PipelineDraft"]


class PipelineDraft:
    """A pipeline to change, submit and publish. Its id is its name."""

    def __init__(
        self,
        workspace: Workspace,
        id: str,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        self.workspace = workspace
        self.id = id
        self.name = name
        self.description = description
        self.experiment_name = experiment_name
        self.tags = dict(tags or {})
        self.properties = dict(properties or {})
        self._kept: Draft | None = None

    @staticmethod
    def create(
        workspace: Workspace,
        pipeline: Any,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        tags: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> PipelineDraft:
        """A draft of a pipeline, of a run, or of a published pipeline. Properties are tags here."""
        own = as_name(name) if name else f"draft-{uuid.uuid4().hex[:12]}"
        with in_azureml_words():
            kept = workspace._client.drafts.create(
                own,
                **_source(pipeline, own),
                parameters=parameter_texts(parameters_of(pipeline_parameters)),
                tags={**(tags or {}), **(properties or {})},
                experiment=as_name(experiment_name) if experiment_name else None,
                description=description,
                continue_on_step_failure=continue_on_step_failure,
            )
        return PipelineDraft._of(workspace, kept)

    @staticmethod
    def get(workspace: Workspace, id: str) -> PipelineDraft:
        """A draft by its id, which is its name."""
        try:
            return PipelineDraft._of(workspace, workspace._client.drafts.get(as_name(id)))
        except NotFoundError as error:
            raise UserErrorException(
                f"there is no draft {id}", code="not_found", hint="PipelineDraft.list()"
            ) from error

    @staticmethod
    def list(workspace: Workspace, tags: Mapping[str, str] | None = None) -> list[PipelineDraft]:
        """The drafts, all or those with these tags."""
        wanted = dict(tags or {}).items()
        found = [PipelineDraft._of(workspace, kept) for kept in workspace._client.drafts]
        return [draft for draft in found if wanted <= draft.tags.items()]

    def update(
        self,
        pipeline: Any = None,
        name: str | None = None,
        description: str | None = None,
        experiment_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> None:
        """Changes what is given; tags and parameters replace what there was."""
        if name is not None and as_name(name) != self.id:
            raise not_supported("renaming a draft", "it is called by its name", "create another, and delete this one")
        kept = self._draft()
        with in_azureml_words():
            edited = kept.edit(
                pipeline=None if pipeline is None else _drawn(pipeline, self.id),
                parameters=None if pipeline_parameters is None else _instead(kept.parameters, pipeline_parameters),
                tags=None if tags is None else {**dict.fromkeys(kept.tags), **tags},
                experiment=as_name(experiment_name) if experiment_name else None,
                description=description,
                continue_on_step_failure=continue_on_step_failure,
            )
        self._take(edited)

    def submit_run(self) -> PipelineRun:
        """Starts a run of it."""
        from tidemill.azureml.core.experiment import Experiment
        from tidemill.azureml.pipeline.core.run import PipelineRun

        if not self.experiment_name:
            raise UserErrorException(
                "the draft has no experiment", code="no_experiment", hint="update(experiment_name=…)"
            )
        started: PipelineRun = PipelineRun._of(Experiment(self.workspace, self.experiment_name), self._draft().submit())
        return started

    def publish(self) -> PublishedPipeline:
        """Freezes it under its name; its parameters become the defaults."""
        from tidemill.azureml.pipeline.core.published import PublishedPipeline

        version = self._draft().publish()
        return PublishedPipeline.get(self.workspace, f"{version['name']}:{version['version']}")

    def delete(self) -> None:
        """Forgets it; its runs and versions stay."""
        self._draft().remove()

    @property
    def last_submitted_pipeline_run_id(self) -> str | None:
        """The newest run of it."""
        runs = self.workspace._client.runs.list(tags={"tidemill.draft": self.id}, limit=1)
        return next((run.id for run in runs), None)

    get_graph = refused("get_graph", "azureml's graph objects do not exist here", "keep the Pipeline")
    save = get_graph

    def _submit(self, experiment_name: str, **_: Any) -> PipelineRun:
        if self.experiment_name != experiment_name:
            self.update(experiment_name=experiment_name)
        return self.submit_run()

    @staticmethod
    def _of(workspace: Workspace, kept: Draft) -> PipelineDraft:
        found = PipelineDraft(workspace, kept.name, kept.name)
        found._take(kept)
        return found

    def _take(self, kept: Draft) -> None:
        draft = kept.view["draft"]
        self._kept = kept
        self.description = draft.get("description") or None
        self.experiment_name = draft.get("experiment")
        self.tags = kept.tags

    def _draft(self) -> Draft:
        if self._kept is None:
            self._take(self.workspace._client.drafts.get(self.id))
        assert self._kept is not None
        return self._kept


def _source(pipeline: Any, name: str) -> dict[str, Any]:
    from tidemill.azureml.pipeline.core.published import PublishedPipeline
    from tidemill.azureml.pipeline.core.run import PipelineRun

    if isinstance(pipeline, PipelineRun):
        return {"run": pipeline.id}
    if isinstance(pipeline, PublishedPipeline):
        published, _, version = pipeline.id.partition(":")
        return {"published": published, "version": version or None}
    return {"pipeline": _drawn(pipeline, name)}


def _drawn(pipeline: Any, name: str) -> Any:
    from tidemill.azureml.pipeline.core.pipeline import Pipeline

    if not isinstance(pipeline, Pipeline):
        raise not_supported(f"a draft of a {type(pipeline).__name__}", "it is no pipeline", "a Pipeline")
    return pipeline._drawn(name)


def _instead(known: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are given, and none of those that were there."""
    return {**dict.fromkeys(known), **parameter_texts(parameters_of(given))}
