"""Pipelines of steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill._heed import heed, is_refused
from tidemill.azureml._names import as_name
from tidemill.azureml._sheet import Document, all_steps
from tidemill.azureml.exceptions import in_azureml_words, refuse
from tidemill.azureml.pipeline.core.graph import parameters_of
from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.published import PublishedPipeline
    from tidemill.azureml.pipeline.core.run import PipelineRun

__all__ = ["Pipeline"]


class Pipeline:
    """Steps, in an order that follows from what they read and from `run_after`."""

    def __init__(
        self,
        workspace: Workspace,
        steps: Any,
        description: str | None = None,
        default_datastore: Any = None,
        default_source_directory: str | None = None,
        resolve_closure: bool = True,
    ) -> None:
        self.workspace = workspace
        self.description = description
        self._code = default_source_directory
        self._file: Path | None = None
        self._steps = all_steps(steps, closed=resolve_closure)

    @staticmethod
    def load_yaml(workspace: Workspace, filename: str) -> Pipeline:
        """A pipeline file in the newer grammar, which is tidemill's. Files of the older one are refused by the coordinator, with their places."""
        made = Pipeline.__new__(Pipeline)
        made.workspace = workspace
        made.description = None
        made._code = None
        made._file = Path(filename)
        made._steps = []
        return made

    def validate(self) -> list[str]:
        """What is wrong with it, and what `submit` refuses; nothing when it is sound. What is worth knowing beside that is shown as warnings."""
        try:
            found = self.workspace._client.validate(self._drawn("validated"))
        except ValidationError as error:
            return [str(problem) for problem in error.problems] or [str(error)]
        heed([problem for problem in found if not is_refused(problem)])
        return [str(problem) for problem in found if is_refused(problem)]

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool = False,
        regenerate_outputs: bool = False,
        parent_run_id: str | None = None,
        credential_passthrough: Any = None,
    ) -> PipelineRun:
        """Starts a run of it."""
        return self._submit(
            experiment_name,
            pipeline_parameters,
            continue_on_step_failure,
            regenerate_outputs,
            parent_run_id=parent_run_id,
            credential_passthrough=credential_passthrough,
        )

    def publish(
        self,
        name: str | None = None,
        description: str | None = None,
        version: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> PublishedPipeline:
        """Freezes it under a name. Each time is another version in the catalog; `version` is kept as a text."""
        from tidemill.azureml.pipeline.core.published import publish

        drawn = self._drawn(name or "published", continue_on_step_failure)
        return publish(self.workspace, drawn, name or "published", description or self.description, version)

    def _submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool = False,
        regenerate_outputs: bool = False,
        tags: Mapping[str, str] | None = None,
        parent_run_id: str | None = None,
        credential_passthrough: Any = None,
    ) -> PipelineRun:
        from tidemill.azureml.core.experiment import Experiment
        from tidemill.azureml.pipeline.core.run import PipelineRun

        refuse(
            "Pipeline.submit",
            "a run stands by itself",
            "leave it out",
            parent_run_id=parent_run_id,
            credential_passthrough=credential_passthrough,
        )
        with in_azureml_words():
            run = self.workspace._client.submit(
                self._drawn(experiment_name, continue_on_step_failure or None),
                parameters_of(pipeline_parameters),
                experiment=as_name(experiment_name),
                tags=tags,
                force_rerun=regenerate_outputs,
            )
        started: PipelineRun = PipelineRun._of(Experiment(self.workspace, experiment_name), run)
        return started

    def _drawn(self, name: str, continue_on_step_failure: bool | None = None) -> Any:
        if self._file is not None:
            return self._file
        settings = {"continue_on_step_failure": continue_on_step_failure}
        return Document(name, self._steps, settings, self.description, self._code)

    def _repr_html_(self) -> str:
        return str(self._drawn("pipeline")._repr_html_()) if self._file is None else ""
