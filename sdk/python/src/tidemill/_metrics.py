"""What steps logged, read over the tracking interface that MLflow's clients use."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidemill._http import Http
    from tidemill._runs import Run

__all__ = ["rows"]

API = "/api/2.0/mlflow"
PAGE = 1000


def rows(http: Http, run: Run, *, history: bool) -> list[dict[str, Any]]:
    """Each metric of each attempt: its last point, or every point of it."""
    table = []
    for tracked in _tracked(http, run):
        tags = {tag["key"]: tag["value"] for tag in tracked["data"].get("tags", [])}
        own = {"step": tags.get("tidemill.step", ""), "attempt": int(tags.get("tidemill.attempt", "0"))}
        for metric in tracked["data"].get("metrics", []):
            points = _history(http, tracked["info"]["run_id"], metric["key"]) if history else [metric]
            table += [{**own, **_point(point)} for point in points]
    return table


def _tracked(http: Http, run: Run) -> Iterator[dict[str, Any]]:
    try:
        found = http.json("GET", f"{API}/experiments/get-by-name", query={"experiment_name": run.experiment})
    except NotFoundError as error:
        raise NotFoundError(
            f"nothing is known of metrics of the experiment `{run.experiment}`",
            code="no_metrics",
            hint="does this coordinator have MLflow's interface?",
            request_id=error.request_id,
        ) from error
    body = {
        "experiment_ids": [found["experiment"]["experiment_id"]],
        "filter": f"tags.`tidemill.run` = '{run.id}'",
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
