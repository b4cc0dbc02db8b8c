"""Runs: what was submitted, seen from here; and inside of a step, the step itself (`Run.get_context()`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill import Run as TidemillRun
from tidemill.azureml._status import pipeline_status, run_status, step_status
from tidemill.azureml._step.core.logging import PROPERTY_TAG
from tidemill.azureml._step.core.run import DESCRIPTION_TAG, _OfflineRun
from tidemill.azureml._step.core.run import Run as InsideRun
from tidemill.azureml.core.run_files import RunFiles
from tidemill.azureml.core.tracked import (
    ClientTracking,
    is_peoples,
    logged,
    metrics_of,
    notes,
    parents_metrics,
    parents_tags,
    people_properties,
    people_tags,
    properties_in,
    tracked,
)
from tidemill.azureml.exceptions import ActivityFailedException, not_supported, refuse, refused

if TYPE_CHECKING:
    from tidemill import Step
    from tidemill.azureml.core.experiment import Experiment
    from tidemill.azureml.core.workspace import Workspace

__all__ = ["Run", "ScriptRun", "_OfflineRun"]

COPIES_BEGIN = "copy_"
FOREVER_S = 10 * 365 * 24 * 3600


class Run(RunFiles):
    """Something that was submitted: a pipeline, a step of one, or a script by itself."""

    def __init__(self, experiment: Experiment, run_id: str, outputs: Any = None) -> None:
        run, _, step = run_id.partition(".")
        found = experiment.workspace._client.runs.get(run)
        self._set(experiment, found, step or None)

    @classmethod
    def _of(cls, experiment: Experiment, run: TidemillRun, step: str | None = None) -> Any:
        made = cls.__new__(cls)
        made._set(experiment, run, step)
        return made

    def _set(self, experiment: Experiment, run: TidemillRun, step: str | None) -> None:
        self._experiment = experiment
        self._run = run
        self._path = step

    @classmethod
    def get_context(cls, allow_offline: bool = True, used_for_context_manager: bool = False, **_: Any) -> Any:
        """The step that this process belongs to; outside of one, a run that prints what it logs."""
        return InsideRun.get_context(allow_offline)

    get_submitted_run = get_context

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> Any:
        """A run by its id, or a step of one by `RUN.STEP`."""
        from tidemill.azureml.core.experiment import Experiment
        from tidemill.azureml.pipeline.core.run import PipelineRun, StepRun

        run, _, step = run_id.partition(".")
        found = workspace._client.runs.get(run)
        experiment = Experiment(workspace, found.experiment)
        if step:
            return StepRun._of(experiment, found, step)
        # A script's outputs may be copied by steps of their own.
        others = [name for name in found.steps if not name.startswith(COPIES_BEGIN)]
        kind: type[Run] = ScriptRun if others == [ScriptRun.STEP] else PipelineRun
        return kind._of(experiment, found, ScriptRun.STEP if kind is ScriptRun else None)

    @staticmethod
    def list(
        experiment: Experiment,
        type: str | None = None,
        tags: Any = None,
        properties: Any = None,
        status: str | None = None,
        include_children: bool = False,
    ) -> Iterator[Any]:
        """The runs of an experiment, newest first."""
        return experiment.get_runs(type, tags, properties, include_children, _status=status)

    @property
    def run_id(self) -> str:
        """Its id."""
        return self.id

    @property
    def experiment(self) -> Experiment:
        """Its experiment."""
        return self._experiment

    list_by_compute = refused(
        "list_by_compute", "runs are listed by experiment", "Run.list(experiment), or `tidemill compute show NAME`"
    )
    add_type_provider = refused("add_type_provider", "runs have the classes that they have here", "leave it out")

    @property
    def name(self) -> str:
        """What people call it."""
        return self._step().display_name if self._path else self._run.display_name

    @property
    def display_name(self) -> str:
        """What people call it."""
        return self.name

    @display_name.setter
    def display_name(self, name: str) -> None:
        if self._path:
            raise not_supported("renaming a step", "its pipeline names it", "the run's name, or a tag of the step")
        self._run.describe(name=name)

    @property
    def description(self) -> str:
        """What was said of it."""
        if self._path:
            return next((text for text in notes(self._tracked()) if text), "")
        return str(self._run.view.get("description") or "")

    @description.setter
    def description(self, text: str) -> None:
        if self._path:
            self.tag(DESCRIPTION_TAG, text)
        else:
            self._run.describe(text)

    @property
    def number(self) -> int:
        """How many attempts it took."""
        return len(self._step().attempts) if self._path else 1

    @property
    def type(self) -> str:
        """What it is a run of."""
        return "azureml.StepRun" if self._path else "azureml.PipelineRun"

    @property
    def parent(self) -> Any:
        """The run of the pipeline that it is a step of."""
        from tidemill.azureml.pipeline.core.run import PipelineRun

        return PipelineRun._of(self._experiment, self._run) if self._path else None

    @property
    def status(self) -> str:
        """How it stands: NotStarted, Queued, Running, Completed, Failed or Canceled."""
        return run_status(self._state())

    def get_status(self) -> str:
        """How it stands: NotStarted, Queued, Running, Completed, Failed or Canceled."""
        return self.status

    def get_details(self) -> dict[str, Any]:
        """What is known of it."""
        seen: Any = self._step() if self._path else self._run.refresh()
        return {
            "runId": self.id,
            "status": self.status,
            "startTimeUtc": seen.started_at.isoformat() if seen.started_at else None,
            "endTimeUtc": seen.finished_at.isoformat() if seen.finished_at else None,
            "properties": self.properties,
            "inputDatasets": [],
        }

    def get_detailed_status(self) -> dict[str, Any]:
        """How it stands, and why."""
        why = self._step().explain() if self._path else []
        return {"status": self.status, "details": "\n".join(why)}

    def get_details_with_logs(self) -> dict[str, Any]:
        """What is known of it, with what its steps wrote."""
        streams = [(step, stream) for step in self._logged_steps() for stream in ("stdout", "stderr")]
        wrote = {f"{step.path}/{stream}": step.logs(stream=stream).read_text() for step, stream in streams}
        return {**self.get_details(), "logFiles": wrote}

    def get_portal_url(self) -> str:
        """Where the coordinator shows it."""
        return f"{self._client.url}/api/v1/runs/{self._run.id}"

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> Any:
        """Waits for its end and answers with what is known of it."""
        self._wait(show_output, None, raise_on_error)
        return self.get_details()

    def cancel(self) -> None:
        """Ends it; of a step, the whole run."""
        self._run.cancel()

    @property
    def tags(self) -> dict[str, str]:
        """Its tags."""
        own = {k: v for k, v in self._run.tags.items() if not k.startswith(("tidemill.", PROPERTY_TAG))}
        if self._path:
            return {**own, **people_tags(self._tracked())}
        return {**{k: v for k, v in parents_tags(self._tracked()).items() if is_peoples(k)}, **own}

    def get_tags(self) -> dict[str, str]:
        """Its tags."""
        return self.tags

    @property
    def properties(self) -> dict[str, str]:
        """What it says of itself, and what `add_properties` said."""
        if not self._path:
            return {**properties_in(parents_tags(self._tracked())), **properties_in(self._run.tags)}
        from_run = self._step().reused_from
        reused = {"azureml.reusedrunid": from_run} if from_run else {}
        return {**people_properties(self._tracked()), "azureml.pipelinerunid": self._run.id, **reused}

    def get_properties(self) -> dict[str, str]:
        """What it says of itself, and what `add_properties` said."""
        return self.properties

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Says more of it."""
        for key, value in properties.items():
            self.tag(PROPERTY_TAG + key, str(value))

    def clean(self) -> None:
        """Nothing is left to do: workers remove the folders of steps."""

    def flush(self, timeout_seconds: int = 300) -> None:
        """Returns at once: what steps log is sent when it is logged."""

    def tag(self, key: str, value: str | None = None) -> None:
        """Sets a tag."""
        if not self._path:
            self._run.tag({key: value or ""})
            return
        for one in self._tracked():
            ClientTracking(self._client._http, one["info"]["run_id"]).tag(key, value or "")

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags."""
        for key, value in tags.items():
            self.tag(key, value)

    def remove_tags(self, tags: str | Sequence[str]) -> None:
        """Removes tags."""
        keys = [tags] if isinstance(tags, str) else tags
        if not self._path:
            self._run.tag(dict.fromkeys(keys))
            return
        for one in self._tracked():
            for key in keys:
                ClientTracking(self._client._http, one["info"]["run_id"]).untag(key)

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: Any = None, populate: bool = False
    ) -> dict[str, Any]:
        """What it logged: a pipeline what its steps logged to their parent, with `recursive` what its steps logged, by step. A step that took its result over has the metrics of the one that made it."""
        http = self._client._http
        if self._path is None and recursive:
            return {path: metrics_of(http, logged(http, self._run, path)) for path in self._run.steps}
        if self._path is None:
            found = parents_metrics(http, self._tracked())
        else:
            found = metrics_of(http, logged(http, self._run, self._path))
        return {key: value for key, value in found.items() if name in (None, key)}

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: str | None = None,
        status: str | None = None,
    ) -> Iterator[Any]:
        """Its steps."""
        from tidemill.azureml.pipeline.core.run import StepRun

        refuse("get_children", "steps have none", "choose among get_steps()", tags=tags, properties=properties)
        if self._path is None:
            for path in self._run.steps:
                child = StepRun._of(self._experiment, self._run, path)
                if status in (None, child.get_status()):
                    yield child

    log = refused(
        "logging to a run from outside",
        "its steps log",
        "Run.get_context().log(…) in the script, or experiment.start_logging()",
    )
    start_logging = log
    log_list = log
    log_row = log
    log_table = log
    log_image = log
    log_confusion_matrix = log
    log_accuracy_table = log
    log_residuals = log
    log_predictions = log
    upload_file = log
    upload_files = log
    upload_folder = log
    complete = refused("ending a run from outside", "a run ends when its steps end", "cancel(), or leave it out")
    fail = complete
    start = complete
    get_environment = refused(
        "get_environment", "a run keeps no Environment object", "Environment.get(ws, NAME), or what the notebook says"
    )
    get_snapshot_id = refused(
        "snapshots", "code is kept by its content", "`tidemill runs compare --code` shows what differs between runs"
    )
    take_snapshot = get_snapshot_id
    restore_snapshot = get_snapshot_id
    child_run = refused(
        "child_run from outside",
        "a run has the steps that were submitted",
        "Run.get_context().child_run() in a step",
    )
    create_children = child_run
    submit_child = child_run
    get_secret = refused(
        "get_secret",
        "secrets are given to steps only",
        "name it in the step: RunConfiguration().secrets[VARIABLE] = NAME",
    )
    get_secrets = get_secret

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Run(Experiment: {self._experiment.name}, Id: {self.id}, Type: {self.type}, Status: {self.status})"

    def _repr_html_(self) -> str:
        return self._run._repr_html_()

    @property
    def _client(self) -> Any:
        return self._experiment.workspace._client

    def _step(self) -> Step:
        assert self._path is not None
        return self._run[self._path]

    def _state(self) -> str:
        """How it stands, in the words of pipelines and steps."""
        return step_status(self._step().status) if self._path else pipeline_status(self._run.refresh().status)

    def _tracked(self) -> Any:
        return tracked(self._client._http, self._run.id, self._path)

    def _wait(self, show_output: bool, timeout_seconds: float | None, raise_on_error: bool) -> str:
        """Waits for the end of the run."""
        timeout = None if timeout_seconds is None or timeout_seconds > FOREVER_S else timeout_seconds
        self._run.wait(timeout=timeout, show=show_output, check=False, file=sys.stdout)
        state = self._state()
        if raise_on_error and state not in ("Finished", "Bypassed"):
            raise ActivityFailedException(
                f"{self.id} {state}: {_reasons(self._run)}",
                code="run_failed",
                hint=f"`tidemill explain {self._run.id}`",
            )
        return state


class ScriptRun(Run):
    """A script that was submitted by itself."""

    STEP = "script"

    @property
    def type(self) -> str:
        """What it is a run of."""
        return "azureml.scriptrun"

    @property
    def id(self) -> str:
        """Its id."""
        return self._run.id

    @property
    def parent(self) -> Any:
        """Nothing: it was submitted by itself."""
        return None

    def _state(self) -> str:
        # It has not ended well before its outputs are where they are to be.
        state = super()._state()
        return pipeline_status(self._run.refresh().status) if state == "Finished" else state


def _reasons(run: TidemillRun) -> str:
    found = []
    for step in run:
        if step.status == "failed":
            found.append(f"{step.display_name}: {why(step)}")
    return "\n".join(found[:3]) or run.status


def why(step: Step) -> str:
    """Why a step failed: the reason, and the end of what it wrote to its standard error."""
    attempts = step.view.get("attempts")
    if not attempts:
        # Nobody tried it: the coordinator says why, and what works instead.
        return "\n".join(step.explain())
    failure = attempts[-1].get("failure") or {}
    parts = [failure.get("message") or failure.get("reason") or step.status, failure.get("stderr_tail")]
    return "\n".join(str(part).strip() for part in parts if part)
