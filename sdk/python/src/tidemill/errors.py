"""What can go wrong, as one tree.

::

    TidemillError
    ├── UnavailableError        nobody answers, or the coordinator cannot take it now: try again later
    ├── AuthError               the token is missing, not good, or allows too little
    ├── NotFoundError           there is no such thing
    ├── ConflictError           the thing's state does not allow it, or it changed meanwhile
    ├── ValidationError         what was asked for makes no sense; `problems` says where and why
    │   └── NotSupportedError   it makes sense, and nothing here does it; what works instead is in `problems` or `hint`
    ├── DigestMismatchError     bytes arrived that are not those that were stored
    ├── RunFailedError          a run that was waited for did not end well
    └── WaitTimeoutError        the time to wait is over; what was waited for goes on

What is worth knowing of a pipeline, though nothing is wrong, is a `PipelineWarning`.

Only words here: which answer of the API becomes which error is in `_http`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidemill._runs import Run

__all__ = [
    "AuthError",
    "ConflictError",
    "DigestMismatchError",
    "NotFoundError",
    "NotSupportedError",
    "PipelineWarning",
    "Problem",
    "RunFailedError",
    "TidemillError",
    "UnavailableError",
    "ValidationError",
    "WaitTimeoutError",
]


@dataclass(frozen=True)
class Problem:
    """Something wrong, or worth knowing, in a pipeline."""

    code: str
    severity: str
    message: str
    help: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    path: str = ""

    def __str__(self) -> str:
        place = self.file or ""
        if place and self.line is not None:
            place += f":{self.line}" + (f":{self.column}" if self.column is not None else "")
        where = place or self.path
        text = f"{self.severity}[{self.code}]: {self.message}" if self.code else self.message
        text = f"{where}: {text}" if where else text
        return f"{text}\n  help: {self.help}" if self.help else text


class TidemillError(Exception):
    """Anything that tidemill reports.

    `code` is a stable word to act on, `hint` says what to do next, and `request_id` names the request in the coordinator's log.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str | None = None,
        request_id: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.request_id = request_id
        self.problems = tuple(problems)

    def __str__(self) -> str:
        lines = [self.message]
        lines += [str(problem) for problem in self.problems]
        if self.hint:
            lines.append(f"help: {self.hint}")
        if self.request_id:
            lines.append(f"request id: {self.request_id}")
        return "\n".join(lines)


class UnavailableError(TidemillError):
    """Nobody answers, or the coordinator cannot take it now."""


class AuthError(TidemillError):
    """The token is missing, not good, or allows too little."""


class NotFoundError(TidemillError):
    """There is no such thing."""


class ConflictError(TidemillError):
    """The thing's state does not allow it, or it changed meanwhile."""


class ValidationError(TidemillError, ValueError):
    """What was asked for makes no sense."""


class NotSupportedError(ValidationError, NotImplementedError):
    """What was asked for makes sense, and nothing here does it."""


class DigestMismatchError(TidemillError):
    """Bytes arrived that are not those that were stored."""


class RunFailedError(TidemillError):
    """A run that was waited for did not end well."""

    def __init__(self, message: str, run: Run, *, hint: str | None = None) -> None:
        super().__init__(message, code="run_failed", hint=hint)
        self.run = run


class WaitTimeoutError(TidemillError, TimeoutError):
    """The time to wait is over; what was waited for goes on."""


class PipelineWarning(UserWarning):
    """Something worth knowing of a pipeline that is sound."""
