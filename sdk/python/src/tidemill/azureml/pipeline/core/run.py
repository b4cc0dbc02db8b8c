"""Runs of pipelines, their steps, and what those left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidemill import Run as TidemillRun
from tidemill.azureml._names import as_name, as_port, as_step
from tidemill.azureml._status import step_status
from tidemill.azureml.core.run import FOREVER_S, Run, why
from tidemill.azureml.exceptions import ActivityFailedException, UserErrorException, not_supported, refused
from tidemill.azureml.pipeline.core.graph import PortDataReference
from tidemill.errors import WaitTimeoutError

if TYPE_CHECKING:
    from tidemill import Artifact
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.published import PublishedPipeline

__all__ = ["PipelineRun", "StepRun", "StepRunOutput"]

ENDED = ("Finished", "Failed", "Canceled", "Bypassed")
LOOK_EVERY_S = 0.5


class PipelineRun(Run):
    """A run of a pipeline."""

    @staticmethod
    def get(workspace: Workspace, run_id: str) -> PipelineRun:
        """A run by its id."""
        from tidemill.azureml.core.experiment import Experiment

        found: TidemillRun = workspace._client.runs.get(run_id)
        made: PipelineRun = PipelineRun._of(Experiment(workspace, found.experiment), found)
        return made

    @staticmethod
    def get_pipeline_runs(workspace: Workspace, pipeline_id: str) -> list[PipelineRun]:
        """The runs of a published pipeline, newest first."""
        from tidemill.azureml.core.experiment import Experiment

        name, _, version = pipeline_id.partition(":")
        found = workspace._client.runs.list(pipeline=name)
        return [
            PipelineRun._of(Experiment(workspace, run.experiment), run)
            for run in found
            if not version or run.tags.get("tidemill.pipeline") in (None, pipeline_id)
        ]

    def get_status(self) -> str:
        """How it stands: NotStarted, Running, Finished, Failed or Canceled."""
        return self._state()

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Waits for its end and answers how it stands. A run that did not end well raises, unless `raise_on_error` is false; when the time is over, WaitTimeoutError."""
        return self._wait(show_output, timeout_seconds, raise_on_error)

    def get_steps(self) -> list[StepRun]:
        """Its steps."""
        return [StepRun._of(self._experiment, self._run, path) for path in self._run.steps]

    def find_step_run(self, name: str) -> list[StepRun]:
        """The steps of this name."""
        steps = list(self._run)
        found = [step for step in steps if name in (step.display_name, step.path)]
        # A step of a module is a pipeline of one step.
        found = found or [step for step in steps if step.path.startswith(as_step(name) + ".")]
        return [StepRun._of(self._experiment, self._run, step.path) for step in found]

    def get_pipeline_output(self, pipeline_output_name: str) -> PortDataReference:
        """What is at an output of the pipeline."""
        name = as_port(pipeline_output_name)
        source = self._run.view.get("outputs", {}).get(name)
        if source is None:
            raise UserErrorException(
                f"the pipeline has no output `{pipeline_output_name}`",
                code="not_found",
                hint=f"it has {', '.join(self._run.view.get('outputs', {})) or 'none'}",
            )
        path, _, output = source.rpartition(".")
        step: StepRun = StepRun._of(self._experiment, self._run, path)
        return step._port_data(output, pipeline_output_name)

    def publish_pipeline(
        self, name: str, description: str, version: str, continue_on_step_failure: bool | None = None
    ) -> PublishedPipeline:
        """Freezes what was submitted, under a name; takes a coordinator that publishes runs."""
        from tidemill.azureml.pipeline.core.published import VERSION_TAG, published

        if continue_on_step_failure is not None:
            raise not_supported(
                "`continue_on_step_failure` when a run is published",
                "what was submitted is published as it was",
                "say it when the published pipeline is submitted",
            )
        workspace = self._experiment.workspace
        added = workspace._client.pipelines._add(
            as_name(name),
            {"run": {"run": self._run.id}},
            version=None,
            description=description or "",
            tags={VERSION_TAG: str(version)} if version is not None else None,
            labels=["default"],
        )
        return published(workspace, added)

    get_graph = refused("get_graph", "azureml's graph objects do not exist here", "get_steps()")
    save = refused("save", "azureml's pipeline files are not written", "keep the notebook")


class StepRun(Run):
    """A step of a run."""

    @property
    def pipeline_run_id(self) -> str:
        """The run that it is a step of."""
        return self._run.id

    def get_status(self) -> str:
        """How it stands: NotStarted, Queued, Running, Finished, Failed, Canceled or Bypassed."""
        return step_status(self._step().status)

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = sys.maxsize, raise_on_error: bool = True
    ) -> str:
        """Waits for its end and answers how it stands."""
        deadline = time.monotonic() + min(timeout_seconds, FOREVER_S)
        shown = not show_output
        while (status := self.get_status()) not in ENDED:
            if status == "Running" and not shown:
                shown = True
                self._print(follow=True)
                continue
            if time.monotonic() > deadline:
                raise WaitTimeoutError(
                    f"{self.id} is {status} after the time to wait", code="timeout", hint="it goes on"
                )
            time.sleep(LOOK_EVERY_S)
        if not shown and self._step().attempts:
            self._print(follow=False)
        if raise_on_error and status != "Finished":
            raise ActivityFailedException(f"{self.id} {status}: {why(self._step())}", code="run_failed")
        return status

    def get_stdout_log(self) -> str:
        """What it wrote to its standard output."""
        return self._step().logs(stream="stdout").read_text()

    def get_stderr_log(self) -> str:
        """What it wrote to its standard error."""
        return self._step().logs(stream="stderr").read_text()

    def get_job_log(self) -> str:
        """Why it stands as it does, and what was noted of its attempts."""
        step = self._step()
        notes = [f"attempt {attempt.number}: {note}" for attempt in step.attempts for note in attempt.notes]
        return "\n".join([*step.explain(), *notes]) + "\n"

    def get_details_with_logs(self) -> dict[str, Any]:
        """What is known of it, with what it wrote."""
        return {
            **self.get_details(),
            "logFiles": {"stdout": self.get_stdout_log(), "stderr": self.get_stderr_log()},
        }

    def get_outputs(self) -> dict[str, StepRunOutput]:
        """Its outputs that are there, by name."""
        names = [name for name in self._step().outputs if name != "artifacts"]
        return {name: StepRunOutput(self, self._run.id, self, name, self._step().outputs[name]) for name in names}

    def get_output(self, name: str) -> StepRunOutput:
        """An output by its name."""
        return StepRunOutput(self, self._run.id, self, name, self._output(as_port(name)))

    def get_output_data(self, name: str) -> PortDataReference:
        """What is at an output."""
        return self._port_data(as_port(name), name)

    def _print(self, *, follow: bool) -> None:
        for line in self._step().logs(follow=follow):
            print(line)

    def _port_data(self, output: str, shown: str) -> PortDataReference:
        artifact = self._output(output)
        artifact.name = f"{self._path}/{shown}"
        return PortDataReference(self, self._run.id, artifact, self)

    def _output(self, name: str) -> Artifact:
        outputs = self._step().outputs
        if name not in outputs:
            known: Sequence[str] = [known for known in outputs if known != "artifacts"]
            raise UserErrorException(
                f"{self.id} has no output `{name}`", code="not_found", hint=f"it has {', '.join(known) or 'none'}"
            )
        return outputs[name]


class StepRunOutput:
    """An output of a step that ran."""

    def __init__(self, context: Any, pipeline_run_id: str, step_run: StepRun, name: str, step_output: Artifact) -> None:
        self._artifact = step_output
        self._step_run = step_run
        self.pipeline_run_id = pipeline_run_id
        self.name = name

    def get_port_data_reference(self) -> PortDataReference:
        """What is there."""
        self._artifact.name = f"{self._step_run._path}/{self.name}"
        return PortDataReference(self._step_run, self.pipeline_run_id, self._artifact, self._step_run)
