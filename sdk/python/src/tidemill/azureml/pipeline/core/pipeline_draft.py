"""Pipeline drafts: pipelines to change, submit and publish. They live in this program; what is to outlive it is published."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidemill.azureml.exceptions import UserErrorException, not_supported, refused

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.pipeline import Pipeline
    from tidemill.azureml.pipeline.core.published import PublishedPipeline
    from tidemill.azureml.pipeline.core.run import PipelineRun

__all__ = ["PipelineDraft"]

_drafts: dict[str, PipelineDraft] = {}


class PipelineDraft:
    """A pipeline to change, submit and publish, for as long as this program runs."""

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
        self.last_submitted_pipeline_run_id: str | None = None
        self._pipeline: Pipeline | None = None
        self._parameters: dict[str, Any] = {}
        self._goes_on: bool | None = None

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
        """A draft of a pipeline."""
        from tidemill.azureml.pipeline.core.pipeline import Pipeline

        if not isinstance(pipeline, Pipeline):
            raise not_supported(
                f"a draft of a {type(pipeline).__name__}", "what ran or was published is frozen", "a Pipeline"
            )
        made = PipelineDraft(workspace, str(uuid.uuid4()), name, description, experiment_name, tags, properties)
        made._pipeline = pipeline
        made._parameters = dict(pipeline_parameters or {})
        made._goes_on = continue_on_step_failure
        _drafts[made.id] = made
        return made

    @staticmethod
    def get(workspace: Workspace, id: str) -> PipelineDraft:
        """A draft of this program."""
        if id not in _drafts:
            raise UserErrorException(f"this program has no draft {id}", code="not_found", hint="drafts end with it")
        return _drafts[id]

    @staticmethod
    def list(workspace: Workspace, tags: Mapping[str, str] | None = None) -> list[PipelineDraft]:
        """The drafts of this program."""
        wanted = dict(tags or {}).items()
        return [draft for draft in _drafts.values() if wanted <= draft.tags.items()]

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
        """Changes what is given."""
        self._pipeline = pipeline or self._pipeline
        self.name = name or self.name
        self.description = description or self.description
        self.experiment_name = experiment_name or self.experiment_name
        self.tags = dict(tags) if tags is not None else self.tags
        if pipeline_parameters is not None:
            self._parameters = dict(pipeline_parameters)
        if continue_on_step_failure is not None:
            self._goes_on = continue_on_step_failure

    def submit_run(self) -> PipelineRun:
        """Starts a run of it."""
        if not self.experiment_name:
            raise UserErrorException(
                "the draft has no experiment", code="no_experiment", hint="update(experiment_name=…)"
            )
        run = self._drawn()._submit(
            self.experiment_name, self._parameters, bool(self._goes_on), tags={**self.tags, **self.properties}
        )
        self.last_submitted_pipeline_run_id = run.id
        return run

    def publish(self) -> PublishedPipeline:
        """Freezes it under its name."""
        return self._drawn().publish(self.name, self.description, continue_on_step_failure=self._goes_on)

    def delete(self) -> None:
        """Forgets it."""
        _drafts.pop(self.id, None)

    get_graph = refused("get_graph", "azureml's graph objects do not exist here", "keep the Pipeline")
    save = get_graph

    def _submit(self, experiment_name: str, **_: Any) -> PipelineRun:
        self.experiment_name = experiment_name
        return self.submit_run()

    def _drawn(self) -> Pipeline:
        assert self._pipeline is not None
        return self._pipeline
