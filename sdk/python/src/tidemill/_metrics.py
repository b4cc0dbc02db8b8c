"""What steps logged, read over the tracking interface that MLflow's clients use."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidemill._http import Http
    from tidemill._runs import Run

__all__ = ["experiment_of", "rows"]

API = "/api/2.0/mlflow"
PAGE = 1000


def rows(http: Http, run: Run, *, history: bool) -> list[dict[str, Any]]:
    """Each metric of each attempt: its last point, or every point of it. A step that took its result over has those of the step that made it."""
    table = []
    for tracked in _tracked(http, run.id):
        table += _of(http, tracked, {"reused_from": None}, history=history)
    for step in run:
        if step.reused_from is not None:
            marked = {"step": step.path, "reused_from": step.reused_from}
            for tracked in _made(http, step.reused_from):
                table += _of(http, tracked, marked, history=history)
    return table


def _of(http: Http, tracked: dict[str, Any], marked: dict[str, Any], *, history: bool) -> list[dict[str, Any]]:
    """What one attempt logged."""
    tags = {tag["key"]: tag["value"] for tag in tracked["data"].get("tags", [])}
    own = {"step": tags.get("tidemill.step", ""), "attempt": int(tags.get("tidemill.attempt", "0"))}
    table = []
    for metric in tracked["data"].get("metrics", []):
        points = _history(http, tracked["info"]["run_id"], metric["key"]) if history else [metric]
        table += [{**own, **_point(point), **marked} for point in points]
    return table


def _made(http: Http, source: str) -> list[dict[str, Any]]:
    """The last attempt at the step that made a result, written as `RUN/STEP`; none when its run was forgotten."""
    origin, _, path = source.partition("/")
    try:
        return list(_tracked(http, origin, path))[-1:]
    except NotFoundError:
        return []


def experiment_of(http: Http, run: str) -> str:
    """The tracking id of the experiment that a run is in, whatever that is called by now: experiments are renamed, and plans keep the name that they were made with."""
    try:
        # A run is tracked under its own id, written without dashes.
        found = http.json("GET", f"{API}/runs/get", query={"run_id": run.replace("-", "")})
    except NotFoundError as error:
        raise NotFoundError(
            f"nothing is known of metrics of the run {run}",
            code="no_metrics",
            hint="does this coordinator have MLflow's interface?",
            request_id=error.request_id,
        ) from error
    return str(found["run"]["info"]["experiment_id"])


def _tracked(http: Http, run: str, step: str | None = None) -> Iterator[dict[str, Any]]:
    body = {
        "experiment_ids": [experiment_of(http, run)],
        "filter": f"tags.`tidemill.run` = '{run}'" + (f" AND tags.`tidemill.step` = '{step}'" if step else ""),
        "order_by": ["attributes.start_time ASC"],
        "max_results": PAGE,
    }
    while True:
        page = http.json("POST", f"{API}/runs/search", body=body, repeatable=True)
        yield from page.get("runs", [])
        token = page.get("next_page_token")
        if not token:
            return
        body["page_token"] = token


def _history(http: Http, tracked: str, key: str) -> Iterator[dict[str, Any]]:
    token: str | None = None
    while True:
        query = {"run_id": tracked, "metric_key": key, "page_token": token}
        page = http.json("GET", f"{API}/metrics/get-history", query=query)
        yield from page.get("metrics", [])
        token = page.get("next_page_token")
        if not token:
            return


def _point(point: dict[str, Any]) -> dict[str, Any]:
    at = datetime.fromtimestamp(int(point["timestamp"]) / 1000, timezone.utc)
    return {"key": point["key"], "value": float(point["value"]), "at": at, "iteration": int(point.get("step", 0))}
