"""Experiments, which runs that are to be compared have in common, and compute targets, the named pools that steps ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._events import moment
from tidemill._http import part
from tidemill._runs import Run, Runs
from tidemill._views import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tidemill._http import Http

__all__ = ["ComputeTarget", "ComputeTargets", "Experiment", "Experiments"]

EXPERIMENTS = "/api/v1/experiments"
COMPUTE_TARGETS = "/api/v1/compute-targets"


class Experiment(View):
    """An experiment as the coordinator last showed it."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._view["name"])

    @property
    def id(self) -> str:
        """The id by which MLflow's clients know it."""
        return str(self._view["id"])

    @property
    def description(self) -> str:
        """Free text."""
        return str(self._view.get("description", ""))

    @property
    def tags(self) -> dict[str, str]:
        """People's labels for it."""
        return dict(self._view.get("tags", {}))

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted; it can be restored."""
        return bool(self._view.get("is_deleted", False))

    @property
    def run_count(self) -> int:
        """Runs of pipelines in it."""
        return int(self._view["runs"])

    @property
    def tracked_run_count(self) -> int:
        """Runs that MLflow's clients made in it."""
        return int(self._view["tracked_runs"])

    @property
    def last_run(self) -> Run | None:
        """The run of a pipeline that was submitted last."""
        view = self._view.get("last_run")
        return None if view is None else Run(self._http, view)

    @property
    def created_at(self) -> datetime | None:
        """When it was made, or first named by a run."""
        return moment(self._view.get("created_at"))

    def runs(self, *, limit: int | None = None) -> Iterator[Run]:
        """Its runs of pipelines, newest first."""
        # Runs keep the name that their pipeline was submitted with, whatever the experiment is called by now.
        last = self.last_run
        return Runs(self._http).list(experiment=self.name if last is None else last.experiment, limit=limit)

    @property
    def etag(self) -> str:
        """The revision of its text and tags, for `if_match`: a change is refused when somebody else made one meanwhile."""
        return self._http.etag(f"{EXPERIMENTS}/{part(self.name)}")

    def describe(
        self,
        description: str | None = None,
        *,
        tags: Mapping[str, str | None] | None = None,
        if_match: str | None = None,
    ) -> Experiment:
        """Changes its text and tags (a tag is removed by None). What is absent stays."""
        body: dict[str, Any] = {} if description is None else {"description": description}
        if tags:
            body["tags"] = dict(tags)
        self._view = self._http.json("PATCH", f"{EXPERIMENTS}/{part(self.name)}", body=body, if_match=if_match)
        return self

    def rename(self, name: str, *, if_match: str | None = None) -> Experiment:
        """Gives it another name. Its runs stay in it, and those that name the old one go on to count for it."""
        path = f"{EXPERIMENTS}/{part(self.name)}"
        self._view = self._http.json("PATCH", path, body={"name": name}, if_match=if_match)
        return self

    def delete(self, *, if_match: str | None = None) -> None:
        """Deletes it; its runs stay, and it can be restored."""
        self._http.json("DELETE", f"{EXPERIMENTS}/{part(self.name)}", if_match=if_match)
        self._view = {**self._view, "is_deleted": True}

    def restore(self, *, if_match: str | None = None) -> Experiment:
        """Brings it back."""
        path = f"{EXPERIMENTS}/{part(self.name)}/restore"
        self._view = self._http.json("POST", path, if_match=if_match, repeatable=True)
        return self

    def __repr__(self) -> str:
        return f"<Experiment {self.name}>"


class Experiments:
    """The experiments of a coordinator: those that runs name, and those that MLflow's clients made."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, name: str) -> Experiment:
        """An experiment by its name."""
        return Experiment(self._http, self._http.json("GET", f"{EXPERIMENTS}/{part(name)}"))

    __getitem__ = get

    def create(self, name: str, description: str = "", *, tags: Mapping[str, str] | None = None) -> Experiment:
        """Makes an experiment; ConflictError says that there is one of this name, perhaps a deleted one."""
        body = {"name": name, "description": description, "tags": dict(tags or {})}
        return Experiment(self._http, self._http.json("POST", EXPERIMENTS, body=body, once=True))

    def list(
        self, *, prefix: str | None = None, deleted: bool = False, sort: str | None = None, limit: int | None = None
    ) -> Iterator[Experiment]:
        """Experiments in the order of their names; with `deleted` also those that were deleted.

        `sort` is `name`, `created_at` or `runs`, with `-` before it the other way round.
        """
        query = {"prefix": prefix, "deleted": "true" if deleted else None, "sort": sort}
        for view in self._http.pages(EXPERIMENTS, query, limit):
            yield Experiment(self._http, view)

    def __iter__(self) -> Iterator[Experiment]:
        """All that were not deleted."""
        return self.list()


class ComputeTarget(View):
    """A compute target as the coordinator last showed it."""

    @property
    def name(self) -> str:
        """The name that steps ask for."""
        return str(self._view["name"])

    @property
    def compute_type(self) -> str | None:
        """What kind of machine it is, as its workers say."""
        found = self._view.get("compute_type")
        return None if found is None else str(found)

    @property
    def slots(self) -> int:
        """Slots of its live workers."""
        return int(self._view["queue"]["slots"])

    @property
    def slots_free(self) -> int:
        """Those that nothing occupies."""
        return int(self._view["slots_free"])

    @property
    def running(self) -> int:
        """Steps that run on it."""
        return int(self._view["queue"]["running"])

    @property
    def waiting(self) -> int:
        """Steps that could run and do not: held back by the coordinator, or in the broker's queue."""
        queue = self._view["queue"]
        return int(queue["backlog"]) + int(queue["dispatched"])

    @property
    def workers(self) -> list[dict[str, Any]]:
        """The workers that serve it, also those that take nothing now."""
        return list(self._view.get("workers", []))

    def __repr__(self) -> str:
        return f"<ComputeTarget {self.name}>"


class ComputeTargets:
    """The compute targets that steps wait for or run on, or that workers serve."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, name: str) -> ComputeTarget:
        """A compute target by its name."""
        return ComputeTarget(self._http, self._http.json("GET", f"{COMPUTE_TARGETS}/{part(name)}"))

    __getitem__ = get

    def list(self, *, sort: str | None = None, limit: int | None = None) -> Iterator[ComputeTarget]:
        """Compute targets in the order of their names.

        `sort` is `name` or `slots_free`, with `-` before it the other way round.
        """
        for view in self._http.pages(COMPUTE_TARGETS, {"sort": sort}, limit):
            yield ComputeTarget(self._http, view)

    def __iter__(self) -> Iterator[ComputeTarget]:
        """All of them."""
        return self.list()
