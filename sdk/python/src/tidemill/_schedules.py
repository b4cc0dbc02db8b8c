"""Schedules: published pipelines that are started by themselves. When they are started is written in `_triggers`, what they say of themselves in `_schedule_words`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._events import moment, required_moment
from tidemill._http import part
from tidemill._schedule_words import sentences
from tidemill._triggers import Recurrence, When, watched
from tidemill._values import parameter_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from tidemill._http import Http

__all__ = ["Recurrence", "Schedule", "Schedules", "watched"]

SCHEDULES = "/api/v1/schedules"


class Schedule:
    """A schedule as the coordinator last showed it."""

    def __init__(self, http: Http, view: Mapping[str, Any]) -> None:
        self._http = http
        self._view = dict(view)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._view["name"])

    @property
    def is_paused(self) -> bool:
        """Whether somebody paused it."""
        return self._view.get("pause") is not None

    @property
    def view(self) -> dict[str, Any]:
        """What the API says of it."""
        return dict(self._view)

    @property
    def next_at(self) -> datetime | None:
        """When it fires next, as far as the clock says so; while it is paused, when it would."""
        return moment(self._view.get("next_at"))

    def next(self, count: int = 5) -> list[datetime]:
        """When it fires next, so many times, 1,000 at most; fewer when it ends before, none where no clock says it."""
        found = self._http.json("GET", f"{self._path}/next", query={"count": count})
        return [required_moment(one["at"]) for one in found]

    def explain(self) -> list[str]:
        """Why it does or does not fire, as it stands now, one sentence each."""
        self._view = self._http.json("GET", self._path)
        return sentences(self._view)

    def firings(self) -> list[dict[str, Any]]:
        """Its last moments, newest first, and what became of each."""
        found: list[dict[str, Any]] = self._http.json("GET", f"{self._path}/firings")
        return found

    def pause(self, reason: str = "") -> Schedule:
        """Lets it fire no more. What passes meanwhile does not count."""
        self._view = self._http.json("POST", f"{self._path}/pause", body={"reason": reason})
        return self

    def resume(self) -> Schedule:
        """Lets it fire again, from now on."""
        self._view = self._http.json("POST", f"{self._path}/resume")
        return self

    def remove(self) -> None:
        """Forgets it; its runs go on."""
        self._http.json("DELETE", self._path)

    @property
    def _path(self) -> str:
        return f"{SCHEDULES}/{part(self.name)}"

    def __repr__(self) -> str:
        return f"<Schedule {self.name}>"


class Schedules:
    """The schedules of a coordinator."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        name: str,
        pipeline: str,
        *,
        cron: str | None = None,
        every: timedelta | None = None,
        recurrence: Recurrence | None = None,
        on_change: str | None = None,
        poll_seconds: float = 300,
        on_version: str | None = None,
        on_run: str | None = None,
        outcomes: Sequence[str] = (),
        time_zone: str = "UTC",
        start: datetime | None = None,
        end: datetime | None = None,
        jitter_seconds: float = 0,
        version: str | int | None = None,
        parameters: Mapping[str, Any] | None = None,
        display_name: str | None = None,
        experiment: str | None = None,
        project: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        force_rerun: bool = False,
        continue_on_step_failure: bool | None = None,
        overlap: str = "skip",
        catch_up: str = "none",
        description: str = "",
        replace: bool = False,
    ) -> Schedule:
        """Makes a schedule of a published pipeline.

        One of these says when: `cron` (five fields), `every` (whole minutes, hours or days, at once for the first time), `recurrence` (`{"frequency": "week",
        "week_days": ["monday"], "hours": [8]}`), `on_change` (`azureml://datastores/NAME/paths/PATH`, looked at every `poll_seconds`), `on_version` (a data asset)
        and `on_run` (a pipeline, whose runs count that ended as `outcomes` say: succeeded when absent, failed, cancelled, aborted). `start` and `end` bound the first
        three; without an offset they are by the clocks of `time_zone`.

        `overlap` is skip, allow, queue or cancel_running, `catch_up` none, last or all. Parameters and the display name may hold `${{trigger.files}}`,
        `${{trigger.path}}`, `${{trigger.version}}` and their like.
        """
        when = When(
            cron, every, recurrence, on_change, poll_seconds, on_version, on_run, outcomes, time_zone, start, end
        )
        spec: dict[str, Any] = {
            "trigger": when.trigger(),
            "pipeline": pipeline,
            "version": str(version) if version is not None else None,
            "parameters": parameter_texts(parameters),
            "display_name": display_name,
            "experiment": experiment,
            "project": project,
            "tags": dict(tags or {}),
            "priority": priority,
            "force_rerun": force_rerun,
            "continue_on_step_failure": continue_on_step_failure,
            "overlap": overlap,
            "catch_up": catch_up,
            "jitter": int(jitter_seconds * 1000),
            "description": description,
        }
        body = {key: value for key, value in spec.items() if value is not None}
        headers = {} if replace else {"if-none-match": "*"}
        view = self._http.json("PUT", f"{SCHEDULES}/{part(name)}", body=body, headers=headers, once=True)
        return Schedule(self._http, view)

    def get(self, name: str) -> Schedule:
        """A schedule by its name."""
        return Schedule(self._http, self._http.json("GET", f"{SCHEDULES}/{part(name)}"))

    __getitem__ = get

    def list(self, *, sort: str | None = None) -> list[Schedule]:
        """All schedules, by name or by the field `sort`, with `-` before it the other way round."""
        return [Schedule(self._http, view) for view in self._http.json("GET", SCHEDULES, query={"sort": sort})]

    def __iter__(self) -> Iterator[Schedule]:
        return iter(self.list())
