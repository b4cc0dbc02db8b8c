"""What happens in a run, as the coordinator tells it; how its streams are read and its moments written. Following a stream over lost connections is in `_runs`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidemill._http import Response

__all__ = ["PIECE_BYTES", "Event", "events", "moment", "required_moment"]

PIECE_BYTES = 64 * 1024
"""Bytes of a stream that are read at once, at most."""


@dataclass(frozen=True)
class Event:
    """One thing that happened in a run."""

    sequence: int
    at: datetime
    run: str
    event: str
    run_status: str
    step: str | None = None
    attempt: int | None = None
    step_status: str | None = None
    detail: str = ""

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Event:
        """An event as the API has it."""
        return cls(
            sequence=int(view["sequence"]),
            at=required_moment(view["at"]),
            run=view["run"],
            event=view["event"],
            run_status=view["run_status"],
            step=view.get("step"),
            attempt=view.get("attempt"),
            step_status=view.get("step_status"),
            detail=view.get("detail", ""),
        )


def events(response: Response) -> Iterator[Event]:
    """Reads server-sent events."""
    rest = b""
    data: list[str] = []
    kind = ""
    try:
        while piece := response.read(PIECE_BYTES):
            *lines, rest = (rest + piece).split(b"\n")
            for raw in lines:
                line = raw.decode().rstrip("\r")
                if line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
                elif line.startswith("event:"):
                    kind = line[6:].strip()
                elif not line:
                    if data and kind in ("", "message"):
                        yield Event.of(json.loads("\n".join(data)))
                    data, kind = [], ""
    finally:
        response.close()


def moment(value: Any) -> datetime | None:
    return None if value is None else required_moment(value)


def required_moment(value: Any) -> datetime:
    if isinstance(value, str):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    return datetime.fromtimestamp(value / 1000, timezone.utc)
