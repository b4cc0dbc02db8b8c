"""Time zones by their names: those of the IANA, and those of Windows, which Azure ML's schedules use. The table of the latter, `windows_zones.txt`, is the coordinator's."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from tidemill.errors import ValidationError

__all__ = ["placed", "windows_zones"]


@cache
def windows_zones() -> dict[str, str]:
    """The IANA's names of zones by those of Windows."""
    text = (Path(__file__).parent / "windows_zones.txt").read_text(encoding="utf-8")
    pairs = [line.partition("|") for line in text.splitlines() if not line.startswith("#")]
    return {windows: iana for windows, _, iana in pairs}


def placed(at: datetime, time_zone: str) -> datetime:
    """A moment; one without an offset is by the clocks of a zone.

    Of an hour that these clocks have twice the first counts; one that they skip is as much later as they are put forward.
    """
    if at.tzinfo is not None:
        return at
    try:
        return at.replace(tzinfo=_zone(time_zone.strip()))
    except (LookupError, ValueError) as error:
        raise ValidationError(
            f"{at} has no offset, and this Python does not know the clocks of `{time_zone}`",
            code="bad_moment",
            hint="give it with an offset: datetime(…, tzinfo=…); where this machine has no time zones, `pip install tzdata`",
        ) from error


def _zone(name: str) -> ZoneInfo:
    """The zone of this name, however its letters are written."""
    by_name = {windows.lower(): iana for windows, iana in windows_zones().items()}
    name = by_name.get(name.lower(), name)
    try:
        return ZoneInfo(name)
    except LookupError:
        alike = [known for known in available_timezones() if known.lower() == name.lower()]
        if not alike:
            raise
        return ZoneInfo(alike[0])
