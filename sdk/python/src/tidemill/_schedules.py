"""Schedules: published pipelines that are started by themselves, by the clock or by what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._http import part
from tidemill._values import parameter_texts
from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidemill._http import Http

__all__ = ["Schedule", "Schedules"]

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
        on_change: str | None = None,
        poll_seconds: float = 300,
        on_version: str | None = None,
        on_run: str | None = None,
        time_zone: str = "UTC",
        version: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        experiment: str | None = None,
        tags: Mapping[str, str] | None = None,
        overlap: str = "skip",
        catch_up: str = "none",
        replace: bool = False,
    ) -> Schedule:
        """Makes a schedule of a published pipeline.

        One of `cron` (five fields), `on_change` (`azureml://datastores/NAME/paths/PATH`, looked at every `poll_seconds`), `on_version` (a data asset) and `on_run` (a pipeline) says when.
        Parameters may hold `${{trigger.files}}`, `${{trigger.path}}`, `${{trigger.version}}` and their like.
        """
        spec: dict[str, Any] = {
            "trigger": _trigger(cron, on_change, poll_seconds, on_version, on_run, time_zone),
            "pipeline": pipeline,
            "version": version,
            "parameters": parameter_texts(parameters),
            "experiment": experiment,
            "tags": dict(tags or {}),
            "overlap": overlap,
            "catch_up": catch_up,
        }
        body = {key: value for key, value in spec.items() if value is not None}
        headers = {} if replace else {"if-none-match": "*"}
        view = self._http.json("PUT", f"{SCHEDULES}/{part(name)}", body=body, headers=headers)
        return Schedule(self._http, view)

    def get(self, name: str) -> Schedule:
        """A schedule by its name."""
        return Schedule(self._http, self._http.json("GET", f"{SCHEDULES}/{part(name)}"))

    def list(self) -> list[Schedule]:
        """All schedules, by name."""
        return [Schedule(self._http, view) for view in self._http.json("GET", SCHEDULES)]

    def __iter__(self) -> Iterator[Schedule]:
        return iter(self.list())


def _trigger(
    cron: str | None,
    on_change: str | None,
    poll_seconds: float,
    on_version: str | None,
    on_run: str | None,
    time_zone: str,
) -> dict[str, Any]:
    if sum(given is not None for given in (cron, on_change, on_version, on_run)) != 1:
        raise ValidationError(
            "a schedule has one trigger", code="bad_trigger", hint="give cron, on_change, on_version or on_run"
        )
    if cron is not None:
        return {"cron": {"expression": cron, "time_zone": time_zone}}
    if on_change is not None:
        return {"files_changed": watched(on_change, poll_seconds)}
    if on_version is not None:
        return {"new_version": {"name": on_version}}
    return {"run_ended": {"pipeline": on_run}}


def watched(address: str, poll_seconds: float) -> dict[str, Any]:
    """The trigger that `azureml://datastores/NAME/paths/PATH` means."""
    _, found, rest = address.partition("datastores/")
    name, _, path = rest.partition("/paths/")
    if not address.startswith("azureml://") or not found or not name.strip("/"):
        raise ValidationError(
            f"{address!r} is no path in a datastore",
            code="bad_address",
            hint="write it as azureml://datastores/NAME/paths/PATH",
        )
    return {"datastore": name.strip("/"), "path": path.strip("/"), "every": int(poll_seconds * 1000)}
