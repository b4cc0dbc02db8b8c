"""What the coordinator remarks of a pipeline that is sound: shown as Python's warnings, and refused where it says that nothing would run a step."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from tidemill._graph import caller
from tidemill.errors import NotSupportedError, PipelineWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidemill.errors import Problem

__all__ = ["heed", "heed_or_refuse", "is_refused"]

# Steps of a kind without an executor load and plan, and fail when they are reached, which may be hours after the submission.
NO_EXECUTOR = "TM0711"


def is_refused(problem: Problem) -> bool:
    """Whether what has this problem is not submitted, though the coordinator would take it."""
    return problem.code == NO_EXECUTOR


def heed(problems: Sequence[Problem]) -> None:
    """Shows them as warnings, at the author's line."""
    place = caller()
    for problem in problems:
        warnings.warn_explicit(str(problem), PipelineWarning, place["file"], place["line"])


def heed_or_refuse(problems: Sequence[Problem]) -> None:
    """Shows them as warnings; raises where steps are of a kind that nothing runs, so that nobody waits for them."""
    refused = [problem for problem in problems if is_refused(problem)]
    if refused:
        raise NotSupportedError(
            "the pipeline has steps of a kind that nothing here runs",
            code="not_supported",
            problems=refused,
            hint="`plan` and `validate` take it as it is",
        )
    heed(problems)
