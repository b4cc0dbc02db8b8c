"""When a schedule fires, as people write it down and as the API takes it. What the words mean is the coordinator's business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from tidemill._zones import placed
from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Recurrence", "When", "watched"]

UNITS = (("day", 24 * 60), ("hour", 60), ("minute", 1))


class Recurrence(TypedDict, total=False):
    """Again and again: every `interval` minutes, hours, days, weeks or months; of days and longer at `hours` and `minutes`, of weeks on `week_days`, of months on `month_days`."""

    frequency: str
    interval: int
    hours: list[int]
    minutes: list[int]
    week_days: list[str]
    month_days: list[int]


@dataclass(frozen=True)
class When:
    """What was said about when; exactly one thing of it counts."""

    cron: str | None
    every: timedelta | None
    recurrence: Recurrence | None
    on_change: str | None
    poll_seconds: float
    on_version: str | None
    on_run: str | None
    outcomes: Sequence[str]
    time_zone: str
    start: datetime | None
    end: datetime | None

    def trigger(self) -> dict[str, Any]:
        """It as the API takes it."""
        ways = (self.cron, self.every, self.recurrence, self.on_change, self.on_version, self.on_run)
        if sum(given is not None for given in ways) != 1:
            raise ValidationError(
                "a schedule has one trigger",
                code="bad_trigger",
                hint="give cron, every, recurrence, on_change, on_version or on_run",
            )
        if self.outcomes and self.on_run is None:
            raise ValidationError("`outcomes` are of runs", code="bad_trigger", hint="give on_run, too")
        if self.cron is not None:
            return {"cron": {"expression": self.cron, **self._bounds()}}
        if self.every is not None:
            return {"recurrence": {**_length(self.every), **self._bounds()}}
        if self.recurrence is not None:
            return {"recurrence": {**self.recurrence, **self._bounds()}}
        return self._occasion()

    def _occasion(self) -> dict[str, Any]:
        """A trigger that goes by what happens."""
        if self.start is not None or self.end is not None:
            raise ValidationError(
                "`start` and `end` are of the clock", code="bad_trigger", hint="with cron, every or recurrence"
            )
        if self.on_change is not None:
            return {"files_changed": watched(self.on_change, self.poll_seconds)}
        if self.on_version is not None:
            return {"new_version": {"name": self.on_version}}
        outcomes = {"outcomes": list(self.outcomes)} if self.outcomes else {}
        return {"run_ended": {"pipeline": self.on_run, **outcomes}}

    def _bounds(self) -> dict[str, Any]:
        """By whose clocks, from when and until when."""
        found: dict[str, Any] = {"time_zone": self.time_zone}
        for name, at in (("start_at", self.start), ("end_at", self.end)):
            if at is not None:
                found[name] = int(placed(at, self.time_zone).timestamp() * 1000)
        return found


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


def _length(every: timedelta) -> dict[str, Any]:
    """The recurrence that a length of time is."""
    minutes, rest = divmod(every, timedelta(minutes=1))
    if minutes < 1 or rest:
        raise ValidationError(
            f"`every` is {every}", code="bad_trigger", hint="it takes whole minutes, hours or days: timedelta(hours=6)"
        )
    frequency, unit = next((name, unit) for name, unit in UNITS if minutes % unit == 0)
    return {"frequency": frequency, "interval": minutes // unit}
