"""What people say of runs: comments, and in whose name they are made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill._events import moment, required_moment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Comment", "user"]


@dataclass(frozen=True)
class Comment:
    """A comment on a run."""

    number: int
    by: str
    at: datetime
    text: str
    edited_at: datetime | None

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> Comment:
        """A comment as the API has it."""
        return cls(
            number=view["number"],
            by=view["by"],
            at=required_moment(view["at"]),
            text=view["text"],
            edited_at=moment(view.get("edited_at")),
        )


def user() -> str | None:
    """In whose name requests are made where no token says so."""
    return os.environ.get("TIDEMILL_USER") or os.environ.get("USER")
