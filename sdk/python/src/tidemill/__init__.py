"""tidemill for Python: draw a pipeline, submit it, walk through what came of it.

Importing this does nothing: each name is looked up when it is first used, so that a step can import it without what only a client needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidemill import current, errors
    from tidemill._artifacts import Artifact
    from tidemill._assets import Asset, AssetVersion
    from tidemill._attempts import Attempt
    from tidemill._builtin import copy_step, register_model_step
    from tidemill._client import Client, Plan, PlannedStep
    from tidemill._events import Event
    from tidemill._http import Response, Transport
    from tidemill._local import Local, local
    from tidemill._logs import Log
    from tidemill._pipeline import Pipeline, PipelineFunction, pipeline
    from tidemill._ports import Input, InputFile, InputFolder, Output, OutputFile, OutputFolder, Param
    from tidemill._remarks import Comment
    from tidemill._runs import Run, Step
    from tidemill._steps import Component, command_step, load_component, step
    from tidemill.errors import (
        AuthError,
        ConflictError,
        DigestMismatchError,
        NotFoundError,
        NotSupportedError,
        PipelineWarning,
        Problem,
        RunFailedError,
        TidemillError,
        UnavailableError,
        ValidationError,
        WaitTimeoutError,
    )

__version__ = "0.1.0"

_WHERE = {
    "current": "current",
    "errors": "errors",
    "Artifact": "_artifacts",
    "Asset": "_assets",
    "AssetVersion": "_assets",
    "Attempt": "_attempts",
    "AuthError": "errors",
    "Client": "_client",
    "Comment": "_remarks",
    "Component": "_steps",
    "ConflictError": "errors",
    "DigestMismatchError": "errors",
    "Event": "_events",
    "Input": "_ports",
    "InputFile": "_ports",
    "InputFolder": "_ports",
    "Local": "_local",
    "Log": "_logs",
    "NotFoundError": "errors",
    "NotSupportedError": "errors",
    "Output": "_ports",
    "OutputFile": "_ports",
    "OutputFolder": "_ports",
    "Param": "_ports",
    "Pipeline": "_pipeline",
    "PipelineFunction": "_pipeline",
    "PipelineWarning": "errors",
    "Plan": "_client",
    "PlannedStep": "_client",
    "Problem": "errors",
    "Response": "_http",
    "Run": "_runs",
    "RunFailedError": "errors",
    "Step": "_runs",
    "TidemillError": "errors",
    "Transport": "_http",
    "UnavailableError": "errors",
    "ValidationError": "errors",
    "WaitTimeoutError": "errors",
    "command_step": "_steps",
    "copy_step": "_builtin",
    "load_component": "_steps",
    "local": "_local",
    "pipeline": "_pipeline",
    "register_model_step": "_builtin",
    "step": "_steps",
}

__all__ = [
    "Artifact",
    "Asset",
    "AssetVersion",
    "Attempt",
    "AuthError",
    "Client",
    "Comment",
    "Component",
    "ConflictError",
    "DigestMismatchError",
    "Event",
    "Input",
    "InputFile",
    "InputFolder",
    "Local",
    "Log",
    "NotFoundError",
    "NotSupportedError",
    "Output",
    "OutputFile",
    "OutputFolder",
    "Param",
    "Pipeline",
    "PipelineFunction",
    "PipelineWarning",
    "Plan",
    "PlannedStep",
    "Problem",
    "Response",
    "Run",
    "RunFailedError",
    "Step",
    "TidemillError",
    "Transport",
    "UnavailableError",
    "ValidationError",
    "WaitTimeoutError",
    "command_step",
    "copy_step",
    "current",
    "errors",
    "load_component",
    "local",
    "pipeline",
    "register_model_step",
    "step",
]


def __getattr__(name: str) -> Any:
    """Looks a public name up where it lives."""
    if name not in _WHERE:
        raise AttributeError(f"module 'tidemill' has no attribute {name!r}")
    module = import_module(f"tidemill.{_WHERE[name]}")
    found = module if name == _WHERE[name] else getattr(module, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
