"""pandas, which is nobody's dependency here: data frames are for those who have it."""

from __future__ import annotations

from typing import Any

from tidemill.errors import TidemillError

__all__ = ["pandas_or"]


def pandas_or(instead: str) -> Any:
    """The module; an error that says what to do instead where there is none."""
    try:
        import pandas
    except ImportError as error:
        raise TidemillError(
            "a data frame needs pandas, which this Python does not have",
            code="no_pandas",
            hint=f"pip install pandas, or {instead}",
        ) from error
    return pandas
