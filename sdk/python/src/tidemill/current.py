"""What a step knows of itself while it runs: inputs, outputs, parameters, its checkpoint, metrics.

Only the standard library is used here, because it runs in whatever Python a step has. Outside of a step, everything that needs one raises RuntimeError.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

__all__ = [
    "attempt",
    "checkpoint",
    "experiment",
    "idempotency_key",
    "input",
    "inputs",
    "is_inside",
    "log_metric",
    "log_metrics",
    "log_params",
    "output",
    "outputs",
    "params",
    "pipeline",
    "run_id",
    "step",
    "work_dir",
]

_INPUT = "TIDEMILL_INPUT_"
_OUTPUT = "TIDEMILL_OUTPUT_"
_REQUEST_S = 30.0
_told: set[str] = set()


def is_inside() -> bool:
    """Whether this process belongs to a step."""
    return "TIDEMILL_RUN_ID" in os.environ


def run_id() -> str:
    """The run."""
    return _own("RUN_ID")


def step() -> str:
    """The step's name in the run."""
    return _own("STEP")


def attempt() -> int:
    """Which try this is, counted from 1."""
    return int(_own("ATTEMPT"))


def pipeline() -> str:
    """The pipeline's name."""
    return _own("PIPELINE")


def experiment() -> str:
    """The experiment's name."""
    return _own("EXPERIMENT")


def idempotency_key() -> str:
    """The same for every attempt at this step: what to hand to others so that an effect happens once."""
    return _own("IDEMPOTENCY_KEY")


def work_dir() -> Path:
    """The folder in which the step works."""
    return Path(_own("WORK_DIR"))


def inputs() -> dict[str, str]:
    """All inputs: paths of files and folders, and literals, as text."""
    return _with_prefix(_INPUT)


def input(name: str) -> Path:
    """The file or folder of an input."""
    return Path(_known(_INPUT, name, "input"))


def outputs() -> dict[str, Path]:
    """Where each output is to be written."""
    return {name: Path(value) for name, value in _with_prefix(_OUTPUT).items()}


def output(name: str) -> Path:
    """Where an output is to be written. The folder of a file output, and a folder output itself, is there."""
    return Path(_known(_OUTPUT, name, "output"))


def params() -> dict[str, object]:
    """The literal inputs, read as truth values and numbers where they are spelled like that."""
    return {name: _literal(value) for name, value in inputs().items()}


def checkpoint() -> Path | None:
    """The folder whose content the next attempt finds again; nothing when the step has no `checkpoint`.

    Write elsewhere (in $TMPDIR) and rename into it, so that a copy is never half of something.
    """
    found = os.environ.get("TIDEMILL_CHECKPOINT")
    return Path(found) if found else None


def log_metric(key: str, value: float, step: int = 0) -> bool:
    """Records a number. Answers whether it was recorded: there is nobody to tell without MLFLOW_TRACKING_URI and MLFLOW_RUN_ID.

    A tracking server that does not answer is told of on stderr once, and is no reason for a step to fail.
    """
    return log_metrics({key: value}, step)


def log_metrics(metrics: dict[str, float], step: int = 0) -> bool:
    """Records several numbers of one moment."""
    now = int(time.time() * 1000)
    listed = [{"key": key, "value": float(value), "timestamp": now, "step": step} for key, value in metrics.items()]
    return _tell({"metrics": listed})


def log_params(params: dict[str, object]) -> bool:
    """Records what a result depends on."""
    return _tell({"params": [{"key": key, "value": str(value)} for key, value in params.items()]})


def _tell(batch: dict[str, object]) -> bool:
    server, run = os.environ.get("MLFLOW_TRACKING_URI", ""), os.environ.get("MLFLOW_RUN_ID", "")
    if not server.startswith(("http://", "https://")) or not run:
        _once("metrics are not recorded: this step was given no tracking server")
        return False
    body = json.dumps({"run_id": run, **batch}).encode()
    headers = {"content-type": "application/json"}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if token:
        headers["authorization"] = "Bearer " + token
    url = server.rstrip("/") + "/api/2.0/mlflow/runs/log-batch"
    request = urllib.request.Request(url, body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=_REQUEST_S):
            return True
    except (urllib.error.URLError, OSError) as error:
        _once(f"metrics are not recorded: {error}")
        return False


def _once(text: str) -> None:
    if text not in _told:
        _told.add(text)
        sys.stderr.write("tidemill: " + text + "\n")


def _own(name: str) -> str:
    found = os.environ.get("TIDEMILL_" + name)
    if found is None:
        raise RuntimeError(f"this process belongs to no step of tidemill: TIDEMILL_{name} is not set")
    return found


def _with_prefix(prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: value for name, value in os.environ.items() if name.startswith(prefix)}


def _known(prefix: str, name: str, what: str) -> str:
    found = os.environ.get(prefix + name)
    if found is None:
        known = ", ".join(sorted(_with_prefix(prefix))) or "none"
        raise RuntimeError(f"this step has no {what} `{name}`; it has {known}")
    return found


def _literal(text: str) -> object:
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
