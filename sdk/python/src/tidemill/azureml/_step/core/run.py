"""`azureml.core.Run` in a step, or outside of one."""

import atexit
import os
import sys
import uuid
from pathlib import Path
from typing import Any, Dict, List, Optional

from . import tracking
from .data import given_datasets, made_datasets
from .logging import RunLog
from .workspace import Experiment, Workspace

__all__ = ["Run"]


class Run(RunLog):
    """The step that this process belongs to; outside of one, a run that prints what it logs."""

    def __init__(self, identity: str, log: Any, parent: "Optional[Run]" = None) -> None:
        is_inside = "TIDEMILL_RUN_ID" in os.environ
        super().__init__(log, Path(os.environ["TIDEMILL_WORK_DIR"]) if is_inside else None)
        self.id = identity
        self._parent = parent

    @classmethod
    def get_context(cls, allow_offline: bool = True, used_for_context_manager: bool = False) -> "Run":
        """The run of this process, always the same."""
        global _context
        if _context is None:
            if "TIDEMILL_RUN_ID" not in os.environ:
                if not allow_offline:
                    raise RuntimeError("this process belongs to no run")
                _context = _OfflineRun("OfflineRun_" + str(uuid.uuid4()), None)
            else:
                run = os.environ["TIDEMILL_RUN_ID"]
                found = tracking.here()
                if found is None:
                    tracking.say_once("what is logged is only printed: this step was given no tracking server")
                _context = Run(run + "." + os.environ.get("TIDEMILL_STEP", ""), found, _PipelineRun(run))
        return _context

    get_submitted_run = get_context

    @property
    def name(self) -> str:
        """The step's name."""
        return os.environ.get("TIDEMILL_STEP", "offline")

    display_name = name

    @property
    def number(self) -> int:
        """Which attempt this is."""
        return int(os.environ.get("TIDEMILL_ATTEMPT", "1"))

    @property
    def parent(self) -> "Optional[Run]":
        """The run of the pipeline."""
        return self._parent

    @property
    def experiment(self) -> Experiment:
        """The experiment."""
        return Experiment(Workspace(), os.environ.get("TIDEMILL_EXPERIMENT", "offline"))

    @property
    def input_datasets(self) -> Dict[str, Any]:
        """What the step was given: paths, and tables where a table was given."""
        return given_datasets()

    @property
    def output_datasets(self) -> Dict[str, str]:
        """Where the step's outputs are to be written."""
        return made_datasets()

    def get_status(self) -> str:
        """Running."""
        return "Running"

    status = property(get_status)

    def get_details(self) -> Dict[str, Any]:
        """What is known of it."""
        return {"runId": self.id, "status": "Running", "properties": self.properties, "tags": self.tags}

    def get_file_names(self) -> List[str]:
        """The files that it keeps so far."""
        root = self._folder or Path.cwd()
        found = [path for name in ("outputs", "logs") for path in sorted((root / name).rglob("*")) if path.is_file()]
        return [path.relative_to(root).as_posix() for path in found]

    def child_run(self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Any = None) -> "Run":
        """A run below this one, with what it logs by itself."""
        identity = run_id or str(uuid.uuid4())
        log = None
        if self._tracking is not None:
            body = {
                "experiment_id": os.environ.get("MLFLOW_EXPERIMENT_ID", "0"),
                "run_name": name or identity,
                "tags": [{"key": "mlflow.parentRunId", "value": self._tracking.run}],
            }
            made = self._tracking.ask("runs/create", body)["run"]["info"]["run_id"]
            identity = made
            log = tracking.Tracking(self._tracking.server, made, self._tracking._token)
        return Run(identity, log, self)

    def start_logging(self, *arguments: Any, **options: Any) -> "Run":
        """A run below this one, to which this process logs by itself."""
        return self.child_run(options.get("display_name"))

    def start(self) -> None:
        """It has started."""

    def complete(self, _set_status: bool = True) -> None:
        """It ends when its process ends."""
        if self._parent is not None and self._tracking is not None and not isinstance(self._parent, _PipelineRun):
            self._tracking.quietly("runs/update", {"run_id": self._tracking.run, "status": "FINISHED"})

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """The step fails when its process ends, whatever its exit code would be."""
        sys.stderr.write("the script said that the run failed: %s\n" % (error_details or "no details"))
        if self is _context and "TIDEMILL_RUN_ID" in os.environ:
            atexit.register(_end_badly)

    def cancel(self) -> None:
        """Ends this process; the step counts as failed."""
        self.fail("it was cancelled by its own script")
        sys.exit(1)

    def register_model(
        self,
        model_name: str,
        model_path: Optional[str] = None,
        tags: Any = None,
        properties: Any = None,
        description: Optional[str] = None,
        **options: Any,
    ) -> Any:
        """Registers a file or folder of the step as a model."""
        from .model import Model

        return Model.register(
            Workspace(), model_path or "outputs", model_name, tags, properties, description, **options
        )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if error is None:
            self.complete()
        else:
            self.fail(error)

    def __repr__(self) -> str:
        return "<Run %s>" % self.id


class _OfflineRun(Run):
    """Outside of a step; scripts ask whether they are there."""


class _PipelineRun(Run):
    """The run of the pipeline, as its steps see it."""

    def __init__(self, run: str) -> None:
        super().__init__(run, None)

    def _metrics(self, metrics: List[Dict[str, Any]]) -> None:
        tracking.say_once("what is logged to the parent is only printed: a step logs to itself")
        super()._metrics(metrics)

    def _text(self, key: str, value: str) -> None:
        tracking.say_once("what is logged to the parent is only printed: a step logs to itself")
        super()._text(key, value)


_context: Optional[Run] = None


def _end_badly() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
