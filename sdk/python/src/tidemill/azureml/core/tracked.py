"""What runs logged, read back over the tracking interface that MLflow's clients use; and the same interface for runs that a notebook logs to by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._metrics import experiment_of
from tidemill.azureml._step.core.logging import PARENT_METRIC_TAG, PARENT_TAG, PROPERTY_TAG, assembled
from tidemill.azureml._step.core.run import DESCRIPTION_TAG
from tidemill.errors import NotFoundError, TidemillError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidemill import Run
    from tidemill._http import Http

__all__ = [
    "ClientTracking",
    "experiment_id",
    "is_peoples",
    "logged",
    "metrics_of",
    "notes",
    "parents_metrics",
    "parents_tags",
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

    def __init__(self, http: Http, run: str, experiment: str = "0") -> None:
        self.http = http
        self.run = run
        self._experiment = experiment

    def log(self, metrics: list[dict[str, Any]]) -> None:
        """Records numbers."""
        import time

        now = int(time.time() * 1000)
        ask(self.http, "runs/log-batch", {"run_id": self.run, "metrics": [{"timestamp": now, **m} for m in metrics]})

    def tag(self, key: str, value: str) -> None:
        """Records a text."""
        ask(self.http, "runs/set-tag", {"run_id": self.run, "key": key, "value": value})

    def untag(self, key: str) -> None:
        """Removes a text."""
        ask(self.http, "runs/delete-tag", {"run_id": self.run, "key": key})

    def change(self, **what: Any) -> None:
        """Changes how it stands, or its name."""
        ask(self.http, "runs/update", {"run_id": self.run, **what})

    def below(self, name: str) -> ClientTracking:
        """A run of its own below this one."""
        tags = [{"key": "mlflow.parentRunId", "value": self.run}]
        body = {"experiment_id": self._experiment, "run_name": name, "tags": tags}
        made = ask(self.http, "runs/create", body)["run"]["info"]["run_id"]
        return ClientTracking(self.http, made, self._experiment)


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
    for one in _by_age(runs):
        metrics = one.get("data", {}).get("metrics", [])
        series = {metric["key"]: _series(http, one["info"]["run_id"], metric) for metric in metrics}
        found.update(assembled(series, _tags(one)))
    return found


def parents_metrics(http: Http, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """What steps logged to the run that they are steps of, which is kept with them."""
    found: dict[str, Any] = {}
    for one in _by_age(runs):
        tags = _parents_tags(one)
        metrics = [metric for metric in one.get("data", {}).get("metrics", []) if _marked(one, metric["key"])]
        series = {metric["key"]: _series(http, one["info"]["run_id"], metric) for metric in metrics}
        found.update(assembled(series, tags))
    return found


def parents_tags(runs: list[dict[str, Any]]) -> dict[str, str]:
    """The tags and properties that steps set at the run that they are steps of."""
    found: dict[str, str] = {}
    for one in _by_age(runs):
        found.update(_parents_tags(one))
    return found


def people_tags(runs: list[dict[str, Any]]) -> dict[str, str]:
    """The tags that scripts and people set."""
    found: dict[str, str] = {}
    for one in runs:
        found.update({key: value for key, value in _tags(one).items() if is_peoples(key)})
    return found


def notes(runs: list[dict[str, Any]]) -> list[str]:
    """What people said of runs, the latest first."""
    return [_tags(one).get(DESCRIPTION_TAG, "") for one in reversed(_by_age(runs))]


def is_peoples(key: str) -> bool:
    """Whether a tag is one that scripts and people set."""
    return not key.startswith((*OWN_TAGS, "azureml."))


def people_properties(runs: list[dict[str, Any]]) -> dict[str, str]:
    """The properties that scripts and people set."""
    return properties_in({key: value for one in runs for key, value in _tags(one).items()})


def properties_in(tags: Mapping[str, str]) -> dict[str, str]:
    """Properties among tags, by their own names."""
    return {key.removeprefix(PROPERTY_TAG): value for key, value in tags.items() if key.startswith(PROPERTY_TAG)}


def _by_age(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(runs, key=lambda run: int(run["info"].get("start_time") or 0))


def _tags(one: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in one.get("data", {}).get("tags", [])}


def _marked(one: Mapping[str, Any], metric: str) -> bool:
    return PARENT_METRIC_TAG + metric in _tags(one)


def _parents_tags(one: Mapping[str, Any]) -> dict[str, str]:
    found = {key: value for key, value in _tags(one).items() if key.startswith(PARENT_TAG)}
    return {k.removeprefix(PARENT_TAG): v for k, v in found.items() if not k.startswith(PARENT_METRIC_TAG)}


def _series(http: Http, run: str, metric: Mapping[str, Any]) -> list[float]:
    if not int(metric.get("step") or 0):
        return [metric["value"]]
    path = MLFLOW + "metrics/get-history"
    found = http.json("GET", path, query={"run_id": run, "metric_key": metric["key"]})
    history = sorted(found.get("metrics", []), key=lambda one: (int(one.get("step") or 0), int(one["timestamp"])))
    return [one["value"] for one in history]
