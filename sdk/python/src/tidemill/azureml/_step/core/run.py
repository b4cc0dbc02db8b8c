"""`azureml.core.Run` in a step, or outside of one."""

import atexit
import os
import sys
import uuid
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set

from . import tracking
from .data import given_datasets, made_datasets
from .logging import PARENT_METRIC_TAG, PARENT_TAG, TABLE_TAG, TEXT_TAG, RunLog, metric_key
from .refusals import not_supported, refused
from .workspace import Experiment, Workspace

__all__ = ["Run"]

DESCRIPTION_TAG = "mlflow.note.content"
_OTHERS = "MLflow's client, which reads the runs of the step's experiment: mlflow.get_run(…), mlflow.search_runs()"
_WRITTEN = "it is written while the step runs"
_CODE = "the code is taken along when the pipeline is submitted"
_WHERE_CODE_IS = "the working folder is a copy of it; `tidemill runs compare --code` shows what differs between runs"


class Run(RunLog):
    """The step that this process belongs to; outside of one, a run that prints what it logs."""

    def __init__(self, identity: str, log: Any, parent: "Optional[Run]" = None, name: Optional[str] = None) -> None:
        is_inside = "TIDEMILL_RUN_ID" in os.environ
        super().__init__(log, Path(os.environ["TIDEMILL_WORK_DIR"]) if is_inside else None)
        self._identity = identity
        self._parent = parent
        self._name = name
        self._description = ""
        self._children: List[Run] = []
        self._ended: Optional[str] = None

    @classmethod
    def get_context(cls, allow_offline: bool = True, used_for_context_manager: bool = False, **_: Any) -> "Run":
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
                _context = Run(run + "." + os.environ.get("TIDEMILL_STEP", ""), found)
                _context._parent = _PipelineRun(run, _context)
        return _context

    get_submitted_run = get_context

    @staticmethod
    def get(workspace: Any, run_id: str) -> "Run":
        """The step itself, the run that it is a step of, or a run that it made, by its id."""
        mine = Run.get_context()
        for known in [mine, mine.parent, *mine.get_children(recursive=True)]:
            if known is not None and known.id == run_id:
                return known
        raise not_supported(
            "Run.get of another run", "a step knows itself, its pipeline's run and the runs that it made", _OTHERS
        )

    list = refused("Run.list", "a step has no right to look around among runs", _OTHERS)
    list_by_compute = list
    add_type_provider = refused("add_type_provider", "a run has one class here", "leave it out")

    @property
    def id(self) -> str:
        """Its id; that of a step is `RUN.STEP`."""
        return self._identity

    @property
    def name(self) -> str:
        """The step's name."""
        return self._name or os.environ.get("TIDEMILL_STEP", "offline")

    @property
    def display_name(self) -> str:
        """The step's name."""
        return self.name

    @display_name.setter
    def display_name(self, name: str) -> None:
        self._rename(name)

    @property
    def description(self) -> str:
        """What this process has said of it."""
        return self._description

    @description.setter
    def description(self, text: str) -> None:
        self._description = text
        self._text(DESCRIPTION_TAG, text)

    @property
    def type(self) -> str:
        """What it is a run of."""
        return "azureml.StepRun" if self is _context else "azureml.scriptrun"

    @property
    def number(self) -> int:
        """Which attempt this is."""
        return int(os.environ.get("TIDEMILL_ATTEMPT", "1"))

    @property
    def parent(self) -> "Optional[Run]":
        """The run of the pipeline; of a run that a step made, the step."""
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
        """Running, until this process says otherwise: Completed, Failed or Canceled."""
        return self._ended or "Running"

    status = property(get_status)

    def get_detailed_status(self) -> Dict[str, Any]:
        """How it stands."""
        return {"status": self.get_status(), "details": "attempt %d of %s" % (self.number, self.name)}

    def get_details(self) -> Dict[str, Any]:
        """What is known of it."""
        return {"runId": self.id, "status": self.get_status(), "properties": self.properties, "tags": self.tags}

    get_details_with_logs = refused("get_details_with_logs", _WRITTEN, "get_details(); `tidemill logs` shows the rest")
    get_all_logs = refused("get_all_logs", _WRITTEN, "`tidemill logs`, or a copy of your own in ./logs")

    def get_portal_url(self) -> str:
        """Where the coordinator shows the run of the pipeline."""
        server = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
        return server + "/api/v1/runs/" + os.environ.get("TIDEMILL_RUN_ID", "")

    get_environment = refused(
        "get_environment", "a step runs in its environment, and does not look it up", "sys.version, importlib.metadata"
    )
    take_snapshot = refused("take_snapshot", _CODE, "upload_folder(NAME, PATH) keeps a folder with the step")
    restore_snapshot = refused("restore_snapshot", _CODE, _WHERE_CODE_IS)
    get_snapshot_id = refused("get_snapshot_id", _CODE, _WHERE_CODE_IS)

    def get_secret(self, name: str) -> str:
        """Not here: which secrets a step gets is said where the step is made."""
        raise not_supported(
            "get_secret",
            "a step is given its secrets when it starts, and cannot ask for others",
            "where the step is made `RunConfiguration().secrets['VARIABLE'] = %r`, and here os.environ['VARIABLE']; "
            "with {'secret': %r, 'as': 'file'} the variable has the path of a file" % (name, name),
        )

    def get_secrets(self, secrets: Sequence[str]) -> Dict[str, str]:
        """Not here: which secrets a step gets is said where the step is made."""
        return {name: self.get_secret(name) for name in secrets or ["NAME"]}

    def get_children(
        self,
        recursive: bool = False,
        tags: Any = None,
        properties: Any = None,
        type: Optional[str] = None,
        status: Optional[str] = None,
    ) -> "Iterator[Run]":
        """The runs that this process made below it."""
        for child in self._children:
            if (
                _has(child.tags, tags)
                and _has(child.properties, properties)
                and type in (None, child.type)
                and status in (None, child.get_status())
            ):
                yield child
            if recursive:
                yield from child.get_children(True, tags, properties, type, status)

    def child_run(self, name: Optional[str] = None, run_id: Optional[str] = None, outputs: Any = None) -> "Run":
        """A run below this one, with what it logs by itself."""
        identity = run_id or str(uuid.uuid4())
        log = None
        if self._tracking is not None:
            log = self._tracking.below(name or identity)
            identity = log.run
        child = Run(identity, log, self, name or identity)
        self._children.append(child)
        return child

    def create_children(
        self, count: Optional[int] = None, tag_key: Optional[str] = None, tag_values: Optional[Sequence[Any]] = None
    ) -> "List[Run]":
        """Runs below this one: so many, or one for each value of a tag."""
        if count is None and (tag_key is None or tag_values is None):
            raise ValueError("give a count, or tag_key and tag_values")
        values = tag_values or []
        if count is not None and tag_values is not None and count != len(values):
            raise ValueError("there are %d tag_values for %d children" % (len(values), count))
        made = [self.child_run() for _ in range(len(values) if count is None else count)]
        for child, value in zip(made, values):  # noqa: B905 - of Python 3.8 too
            child.tag(str(tag_key), value)
        return made

    submit_child = refused(
        "submit_child",
        "a step starts no others: what a run consists of is known when it is submitted",
        "another step of the pipeline, or child_run() and a process that this script starts and waits for",
    )

    def start_logging(self, *arguments: Any, **options: Any) -> "Run":
        """A run below this one, to which this process logs by itself."""
        return self.child_run(options.get("display_name"))

    def start(self) -> None:
        """It has started."""

    def wait_for_completion(
        self, show_output: bool = False, wait_post_processing: bool = False, raise_on_error: bool = True
    ) -> Dict[str, Any]:
        """What is known of a run that this process has ended. For its own end a step cannot wait."""
        if self._ended is None:
            raise not_supported(
                "waiting for a run that goes on",
                "in a step nothing but the step itself could end it",
                "complete() or fail() it before; run.wait_for_completion() where the pipeline was submitted",
            )
        if raise_on_error and self._ended != "Completed":
            raise RuntimeError("%s %s" % (self.id, self._ended))
        return self.get_details()

    def clean(self) -> None:
        """Nothing is left to do: the worker removes the step's folder."""

    def complete(self, _set_status: bool = True) -> None:
        """Of a run that this process made, its end. The step ends when its process ends."""
        self._end("Completed", "FINISHED")

    def fail(self, error_details: Any = None, error_code: Any = None, _set_status: bool = True) -> None:
        """The step fails when its process ends, whatever its exit code would be."""
        self._end("Failed", "FAILED")
        sys.stderr.write("the script said that the run failed: %s\n" % (error_details or "no details"))
        if self is _context and "TIDEMILL_RUN_ID" in os.environ:
            atexit.register(_end_badly)

    def cancel(self) -> None:
        """Of a run that this process made, its end. Otherwise ends this process; the step counts as failed."""
        if self._is_made_here:
            self._end("Canceled", "KILLED")
            return
        self.fail("it was cancelled by its own script")
        sys.exit(1)

    def register_model(
        self,
        model_name: str,
        model_path: Optional[str] = None,
        tags: Any = None,
        properties: Any = None,
        model_framework: Optional[str] = None,
        model_framework_version: Optional[str] = None,
        description: Optional[str] = None,
        datasets: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> Any:
        """Registers a file or folder of the step as a model."""
        from .model import Model

        return Model.register(
            Workspace(),
            model_path or "outputs",
            model_name,
            tags,
            properties,
            description,
            datasets,
            model_framework,
            model_framework_version,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )

    def _rename(self, name: str) -> None:
        self._name = name
        if self._tracking is not None:
            self._tracking.change(run_name=name)

    @property
    def _is_made_here(self) -> bool:
        """Whether this process made it; what it logs to by itself it ends by itself."""
        return self is not _context and not isinstance(self, _PipelineRun)

    def _end(self, status: str, tracked: str) -> None:
        self._ended = status
        if self._is_made_here and self._tracking is not None:
            self._tracking.change(status=tracked)

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
    """The run of the pipeline, as its steps see it. A step may log to itself only: what is logged here is kept with the step, and marked as its parent's."""

    def __init__(self, run: str, step: Run) -> None:
        super().__init__(run, step._tracking, None, run)
        # What both log under one name is one series.
        self._counts = step._counts
        self._latest = step._latest
        self._children = [step]
        self._marked: Set[str] = set()

    @property
    def type(self) -> str:
        """What it is a run of."""
        return "azureml.PipelineRun"

    def _rename(self, name: str) -> None:
        raise not_supported(
            "naming the run of the pipeline in a step",
            "a step may change itself only",
            "run.display_name = … where it was submitted, or `tidemill runs describe`",
        )

    def _is_recorded(self, name: str, number: float) -> bool:
        self._mark(metric_key(name))
        return super()._is_recorded(name, number)

    def _metrics(self, metrics: List[Dict[str, Any]]) -> None:
        for metric in metrics:
            self._mark(metric["key"])
        super()._metrics(metrics)

    def _text(self, key: str, value: str) -> None:
        if self._tracking is None or key.startswith((TEXT_TAG, TABLE_TAG)):
            super()._text(key, value)
        if self._tracking is not None:
            self._say()
            self._tracking.tag(PARENT_TAG + key, value)

    def _removed(self, key: str) -> None:
        super()._removed(PARENT_TAG + key)

    def _mark(self, key: str) -> None:
        """Notes that a metric is the parent's, too."""
        if self._tracking is not None and key not in self._marked:
            self._say()
            self._marked.add(key)
            self._tracking.tag(PARENT_METRIC_TAG + key, "yes")

    def _say(self) -> None:
        tracking.say_once("what is logged to the parent is kept with the step: a step may log to itself only")


_context: Optional[Run] = None


def _has(have: Mapping[str, str], wanted: Any) -> bool:
    """Whether tags are among others: a name, or names and values."""
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return wanted in have
    return all(key in have and value in (None, have[key]) for key, value in wanted.items())


def _end_badly() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
