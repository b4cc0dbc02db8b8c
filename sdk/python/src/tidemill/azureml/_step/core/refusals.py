"""What a step cannot do, said the same way everywhere: why, and what works instead."""

import sys
from typing import Any, Callable

__all__ = ["NotSupportedError", "not_supported", "refuse", "refused"]


class NotSupportedError(NotImplementedError):
    """tidemill does not do this in a step; the hint names the nearest thing that it does."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message + "\n  " + hint)
        self.message = message
        self.code = "not_supported"
        self.hint = hint


def not_supported(what: str, why: str, instead: str) -> Exception:
    """The error for something that is not done here. Where `tidemill.azureml` is in use it is that one's, so that one `except` is enough."""
    whole = sys.modules.get("tidemill.azureml.exceptions")
    if whole is not None:
        found: Exception = whole.not_supported(what, why, instead)
        return found
    return NotSupportedError("%s is not supported: %s" % (what, why), instead)


def refused(what: str, why: str, instead: str) -> Callable[..., Any]:
    """A method that is not done here: however it is called, it says why, and what to do instead."""

    def refusal(*_: Any, **__: Any) -> Any:
        raise not_supported(what, why, instead)

    refusal.__doc__ = "Not here: %s." % why
    return staticmethod(refusal)


def refuse(where: str, why: str, instead: str, **given: Any) -> None:
    """Refuses arguments that would have no effect here. Those that were left out or switched off pass."""
    for name, value in given.items():
        if value is not None and value is not False and value != {} and value != []:
            raise not_supported("`%s` of %s" % (name, where), why, instead)
