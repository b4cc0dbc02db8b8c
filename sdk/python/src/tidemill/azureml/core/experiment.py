"""Experiments: names under which runs are gathered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_name
from tidemill.azureml._sheet import Document, all_steps
from tidemill.azureml._step.core.run import Run as LoggedRun
from tidemill.azureml.exceptions import not_supported, refuse, refused

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace

__all__ = ["Experiment"]

RUNS_SEEN_MAX = 1000


class Experiment:
    """A name under which runs are gathered."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.name = name

    @staticmethod
    def list(
        workspace: Workspace, experiment_name: str | None = None, view_type: Any = "ActiveOnly", tags: Any = None
    ) -> list[Experiment]:
        """The experiments of the newest runs."""
        refuse("Experiment.list", "an experiment is a name", "choose among runs", tags=tags)
        seen = {run.experiment: None for run in workspace._client.runs.list(limit=RUNS_SEEN_MAX)}
        return [Experiment(workspace, name) for name in seen if experiment_name in (None, name)]

    @property
    def id(self) -> str:
        """Its name."""
        return as_name(self.name)

    @property
    def workspace_object(self) -> Workspace:
        """The workspace."""
        return self.workspace

    def submit(self, config: Any, tags: Mapping[str, str] | None = None, **kwargs: Any) -> Any:
        """Starts a run: of a Pipeline, a PublishedPipeline, a PipelineEndpoint, a PipelineDraft, a ScriptRunConfig or a HyperDriveConfig.

        For pipelines also `pipeline_parameters`, `continue_on_step_failure` and `regenerate_outputs`.
        """
        from tidemill.azureml.pipeline.core.pipeline import Pipeline

        if isinstance(config, Pipeline):
            return config._submit(self.name, tags=tags, **kwargs)
        if hasattr(config, "_submit"):
            refuse("submit", "a published pipeline has its tags", "leave them out", tags=tags)
            return config._submit(self.name, **kwargs)
        if hasattr(config, "_step"):
            return self._submit_script(config, tags, **kwargs)
        raise not_supported(
            f"submitting a {type(config).__name__}",
            "it is no pipeline and no script",
            "give a Pipeline, a PublishedPipeline or a ScriptRunConfig",
        )

    def start_logging(self, *args: Any, **kwargs: Any) -> LoggedRun:
        """A run that this program logs to by itself."""
        from tidemill.azureml.core.tracked import ClientTracking, ask, experiment_id

        refuse("start_logging", "the program's own files are not taken", "upload_file", args=list(args), **kwargs)
        http = self.workspace._client._http
        identity = experiment_id(http, self.id) or ask(http, "experiments/create", {"name": self.id})["experiment_id"]
        made = ask(http, "runs/create", {"experiment_id": identity})["run"]["info"]["run_id"]
        return LoggedRun(made, ClientTracking(http, made, str(identity)))

    def get_runs(
        self,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        include_children: bool = False,
        _status: str | None = None,
    ) -> Iterator[Any]:
        """Its runs, newest first."""
        from tidemill.azureml.core.run import Run

        refuse("get_runs", "runs have none", "choose by tags", properties=properties)
        wanted = {tags: ""} if isinstance(tags, str) else tags
        for run in self.workspace._client.runs.list(experiment=self.id, tags=wanted):
            found = Run.get(self.workspace, run.id)
            if type in (None, found.type) and _status in (None, found.get_status()):
                yield found
                if include_children:
                    yield from found.get_children()

    archive = refused("changing an experiment", "an experiment is a name", "use another name, and tags of runs")
    reactivate = archive
    delete = archive
    tag = archive
    set_tags = archive
    remove_tags = archive

    def _submit_script(self, config: Any, tags: Mapping[str, str] | None, **options: Any) -> Any:
        from tidemill.azureml.core.run import ScriptRun

        refuse("submit", "a script has its arguments", "put them in the ScriptRunConfig", **options)
        drawn = Document(self.name, all_steps([config._step(ScriptRun.STEP)], closed=True), {})
        run = self.workspace._client.submit(drawn, experiment=self.id, tags=tags)
        return ScriptRun._of(self, run, ScriptRun.STEP)

    def __repr__(self) -> str:
        return f"Experiment(Name: {self.name}, Workspace: {self.workspace.name})"
