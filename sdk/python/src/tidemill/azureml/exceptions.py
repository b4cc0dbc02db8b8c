"""What azureml raises, as far as this package does: under its names, and as errors of tidemill at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tidemill import errors
from tidemill.errors import TidemillError

__all__ = [
    "ActivityFailedException",
    "AzureMLException",
    "ComputeTargetException",
    "ExperimentExecutionException",
    "ModelNotFoundException",
    "NotSupportedError",
    "RunEnvironmentException",
    "UserErrorException",
]


class AzureMLException(TidemillError):
    """Anything that this package reports."""


class UserErrorException(AzureMLException, ValueError):
    """What was asked for makes no sense."""


class NotSupportedError(UserErrorException, errors.NotSupportedError):
    """tidemill does not do this; the hint names the nearest thing that it does."""


class ActivityFailedException(AzureMLException):
    """A run that was waited for did not end well."""


class ExperimentExecutionException(AzureMLException):
    """A run could not be started."""


class ComputeTargetException(AzureMLException):
    """There is no such compute target."""


class ModelNotFoundException(AzureMLException):
    """There is no such model."""


class RunEnvironmentException(AzureMLException):
    """A process belongs to no run."""


def not_supported(what: str, why: str, instead: str) -> NotSupportedError:
    """The error for something that is not done here."""
    return NotSupportedError(f"{what} is not supported: {why}", code="not_supported", hint=instead)


@contextmanager
def in_azureml_words() -> Iterator[None]:
    """What tidemill does not do, raised under azureml's name for what a user got wrong."""
    try:
        yield
    except errors.NotSupportedError as error:
        raise NotSupportedError(error.message, code=error.code, hint=error.hint, problems=error.problems) from error


def refused(what: str, why: str, instead: str) -> Callable[..., Any]:
    """A method that is not done here: however it is called, it says why, and what to do instead."""

    def refusal(*_: Any, **__: Any) -> Any:
        raise not_supported(what, why, instead)

    refusal.__doc__ = f"Not here: {why}."
    return staticmethod(refusal)


def refuse(where: str, why: str, instead: str, **given: Any) -> None:
    """Refuses arguments that would have no effect here. Those that were left out or switched off pass."""
    for name, value in given.items():
        if value is not None and value is not False and value != {} and value != []:
            raise not_supported(f"`{name}` of {where}", why, instead)
