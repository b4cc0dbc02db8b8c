"""Attempts: the tries at a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill._events import moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Attempt"]


@dataclass(frozen=True)
class Attempt:
    """One try at a step."""

    number: int
    status: str
    worker: str | None
    started_at: datetime | None
    finished_at: datetime | None
    failure: str | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Attempt:
        """An attempt as the API has it."""
        failure = view.get("failure")
        text = failure.get("message") or failure.get("reason") if isinstance(failure, dict) else failure
        return cls(
            number=view["attempt"],
            status=view["status"],
            worker=view.get("worker"),
            started_at=moment(view.get("claimed_at")),
            finished_at=moment(view.get("finished_at")),
            failure=str(text) if text is not None else None,
            notes=tuple((view.get("usage") or {}).get("notes", ())),
        )
