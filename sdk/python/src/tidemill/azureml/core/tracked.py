"""What runs logged, read back over the tracking interface that MLflow's clients use; and the same interface for runs that a notebook logs to by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._metrics import experiment_of
from tidemill.azureml._step.core.logging import PROPERTY_TAG, assembled
from tidemill.errors import NotFoundError, TidemillError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidemill import Run
    from tidemill._http import Http

__all__ = [
    "ClientTracking",
    "experiment_id",
    "logged",
    "metrics_of",
    "people_properties",
    "people_tags",
    "properties_in",
    "tracked",
]

MLFLOW = "/api/2.0/mlflow/"
RUNS_MAX = 1000
OWN_TAGS = ("mlflow.", "tidemill.")


class ClientTracking:
    """A run of the tracking server, logged to from here."""

    def __init__(self, http: Http, run: str) -> None:
        self.http = http
        self.run = run

    def log(self, metrics: list[dict[str, Any]]) -> None:
        """Records numbers."""
        import time

        now = int(time.time() * 1000)
        ask(self.http, "runs/log-batch", {"run_id": self.run, "metrics": [{"timestamp": now, **m} for m in metrics]})

    def tag(self, key: str, value: str) -> None:
        """Records a text."""
        ask(self.http, "runs/set-tag", {"run_id": self.run, "key": key, "value": value})


def ask(http: Http, path: str, body: Mapping[str, Any]) -> Any:
    """Sends JSON, answers JSON."""
    try:
        return http.json("POST", MLFLOW + path, body=dict(body))
    except NotFoundError as error:
        if error.code in ("404", "not_found"):
            raise TidemillError(
                "this coordinator keeps no metrics", code="no_metrics", hint="it is older than this package"
            ) from error
        raise


def experiment_id(http: Http, name: str) -> str | None:
    """The tracking server's id of an experiment, if it knows it."""
    found = ask(http, "experiments/search", {"max_results": 1, "filter": f"name = '{name}'"}).get("experiments")
    return str(found[0]["experiment_id"]) if found else None


def tracked(http: Http, run: str, step: str | None) -> list[dict[str, Any]]:
    """What the tracking server has of a run's attempts, of one step or of all; nothing of a run that was forgotten."""
    try:
        experiment = experiment_of(http, run)
    except NotFoundError:
        return []
    wanted = f"tags.`tidemill.run` = '{run}'"
    if step is not None:
        wanted += f" AND tags.`tidemill.step` = '{step}'"
    found = ask(http, "runs/search", {"experiment_ids": [experiment], "filter": wanted, "max_results": RUNS_MAX})
    listed: list[dict[str, Any]] = found.get("runs", [])
    return listed


def logged(http: Http, run: Run, step: str) -> list[dict[str, Any]]:
    """What a step logged; of one that took its result over, what the step logged that made it."""
    own, source = tracked(http, run.id, step), run[step].reused_from
    if own or source is None:
        return own
    origin, _, path = source.partition("/")
    return tracked(http, origin, path)


def metrics_of(http: Http, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What was logged to runs of the tracking server, in azureml's shapes; the latest attempt counts."""
    found: dict[str, Any] = {}
    for one in sorted(runs, key=lambda run: int(run["info"].get("start_time") or 0)):
        data = one.get("data", {})
        tags = {tag["key"]: tag["value"] for tag in data.get("tags", [])}
        series = {metric["key"]: _series(http, one["info"]["run_id"], metric) for metric in data.get("metrics", [])}
        found.update(assembled(series, tags))
    return found


def people_tags(runs: list[dict[str, Any]]) -> dict[str, str]:
    """The tags that scripts and people set."""
    found: dict[str, str] = {}
    for one in runs:
        for tag in one.get("data", {}).get("tags", []):
            if not tag["key"].startswith((*OWN_TAGS, "azureml.")):
                found[tag["key"]] = tag["value"]
    return found


def people_properties(runs: list[dict[str, Any]]) -> dict[str, str]:
    """The properties that scripts and people set."""
    tags = [tag for one in runs for tag in one.get("data", {}).get("tags", [])]
    return properties_in({tag["key"]: tag["value"] for tag in tags})


def properties_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Properties among tags, by their own names."""
    return {key.removeprefix(PROPERTY_TAG): value for key, value in tags.items() if key.startswith(PROPERTY_TAG)}


def _series(http: Http, run: str, metric: Mapping[str, Any]) -> list[float]:
    if not int(metric.get("step") or 0):
        return [metric["value"]]
    path = MLFLOW + "metrics/get-history"
    found = http.json("GET", path, query={"run_id": run, "metric_key": metric["key"]})
    history = sorted(found.get("metrics", []), key=lambda one: (int(one.get("step") or 0), int(one["timestamp"])))
    return [one["value"] for one in history]
