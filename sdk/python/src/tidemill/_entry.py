"""What runs a Python function as a step: `python3 entry.py MODULE FUNCTION --inputs=a=path,b=number --outputs=c=uri_file`.

It travels with the step's code and uses only the standard library, of Python 3.8 and newer. Where the step's Python has no tidemill, a stand-in serves the
module's own decorators.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import os
import sys
import types
from pathlib import Path
from typing import Any, List


def main(arguments: List[str]) -> int:
    """Imports the module, reads the inputs, calls the function."""
    module_name, function_name = arguments[0], arguments[1]
    options = dict(argument.lstrip("-").split("=", 1) for argument in arguments[2:])
    here = Path(__file__).resolve().parent
    # Python puts the script's own folder first; the step's modules are found from the folder around it.
    sys.path[:] = [str(here.parent)] + [path for path in sys.path if path != str(here)]
    _provide_tidemill(here)
    function = getattr(importlib.import_module(module_name), function_name)
    # The decorator keeps what it decorates.
    function = getattr(function, "function", function)
    given: dict[str, Any] = {}
    for name, kind in _pairs(options.get("inputs", "")):
        text = os.environ.get("TIDEMILL_INPUT_" + name)
        if text is not None:
            given[name] = _value(kind, text)
    for name, kind in _pairs(options.get("outputs", "")):
        path = Path(os.environ["TIDEMILL_OUTPUT_" + name])
        (path.parent if kind == "uri_file" else path).mkdir(parents=True, exist_ok=True)
        given[name] = path
    result = function(**given)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    if result is not None:
        sys.stderr.write("tidemill: what the function returned is dropped; write it to an output\n")
    return 0


def _pairs(text: str) -> List[List[str]]:
    return [pair.split("=", 1) for pair in text.split(",") if pair]


def _value(kind: str, text: str) -> object:
    if kind == "path":
        return Path(text)
    if kind == "boolean":
        return text == "True"
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    return text


def _provide_tidemill(here: Path) -> None:
    """Stands in for the package where the step's Python has none."""
    if importlib.util.find_spec("tidemill") is not None:
        return
    stand_in = types.ModuleType("tidemill")
    spec = importlib.util.spec_from_file_location("tidemill.current", str(here / "current.py"))
    if spec is None or spec.loader is None:
        raise ImportError("the step's code lacks " + str(here / "current.py"))
    current = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(current)
    members: dict[str, Any] = {
        "__path__": [],
        "current": current,
        "step": _StepHere(current),
        "__getattr__": _stand_in_for,
    }
    stand_in.__dict__.update(members)
    sys.modules["tidemill"] = stand_in
    sys.modules["tidemill.current"] = current


def _stand_in_for(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Anything()


class _Anything:
    """Stands for what a step does not need: as a decorator it hands back what it decorates, as anything else it does nothing."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        is_decorating = len(arguments) == 1 and callable(arguments[0]) and not options
        if is_decorating and not isinstance(arguments[0], _Anything):
            return arguments[0]
        return self

    def __getattr__(self, name: str) -> Any:
        return _stand_in_for(name)

    def __getitem__(self, key: object) -> Any:
        return self

    def __or__(self, other: object) -> Any:
        return self

    __ror__ = __or__


class _StepHere(_Anything):
    """`tidemill.step`: a decorator that changes nothing, and what the step knows of itself."""

    def __init__(self, current: types.ModuleType) -> None:
        self._current = current

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._current, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
