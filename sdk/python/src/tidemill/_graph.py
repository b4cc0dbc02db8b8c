"""Drawing: while a pipeline's function is called, steps that it calls are recorded, not run. What is recorded here is rendered in `_pipeline`.

Places of the author's file are kept with each call, so that a wrong graph is reported where it was drawn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tidemill._naming import naming
from tidemill.errors import Problem, ValidationError

__all__ = ["Drawing", "OutputRef", "Outputs", "ParameterRef", "StepCall", "current_drawing", "draw_in"]

_HERE = str(Path(__file__).parent)


class ParameterRef:
    """A parameter of the pipeline that is being drawn. It has no value yet; in text it stands for the value to come."""

    def __init__(self, name: str, declaration: Mapping[str, Any]) -> None:
        self.name = name
        self.declaration = declaration

    def __str__(self) -> str:
        return f"${{{{parent.inputs.{self.name}}}}}"

    def __format__(self, spec: str) -> str:
        if spec:
            self._no_value()
        return str(self)

    def __bool__(self) -> bool:
        self._no_value()

    def __iter__(self) -> Iterator[Any]:
        self._no_value()

    def _no_value(self) -> NoReturn:
        raise ValidationError(
            f"the parameter `{self.name}` has no value while the pipeline is drawn",
            code="no_value",
            problems=[
                Problem(
                    "no_value",
                    "error",
                    "a pipeline's function draws a graph; it cannot look at values",
                    **caller(),
                )
            ],
            hint="decide inside of a step, or make it an ordinary argument of a function that returns a pipeline",
        )

    def __repr__(self) -> str:
        return f"<parameter {self.name}>"


@dataclass(frozen=True)
class OutputRef:
    """An output of a step that was drawn."""

    step: str
    output: str
    drawing: Drawing = field(repr=False, compare=False)
    declaration: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"${{{{parent.jobs.{self.step}.outputs.{self.output}}}}}"

    def named(self, name: str, *, version: str | int | None = None, label: str | None = None) -> OutputRef:
        """Gives it a name: it becomes a version in the catalog when its step has ended well. For outputs whose declaration says no name, and instead of the one it says."""
        self.drawing.name_output(self, naming(name, version, label))
        return self


class Outputs(Mapping[str, OutputRef]):
    """The outputs of a step that was drawn: `prep.outputs["train"]`, or `prep.outputs.train`."""

    def __init__(self, step: str, declared: Mapping[str, Mapping[str, Any]] | None, drawing: Drawing) -> None:
        self._step = step
        self._declared = declared
        self._drawing = drawing

    def __getitem__(self, name: str) -> OutputRef:
        if self._declared is not None and name not in self._declared and name != "artifacts":
            known = ", ".join(self._declared) or "none"
            raise ValidationError(
                f"the step `{self._step}` has no output `{name}`",
                code="unknown_output",
                problems=[
                    Problem("unknown_output", "error", f"no output `{name}`", help=f"it has {known}", **caller())
                ],
            )
        declaration = (self._declared or {}).get(name)
        return OutputRef(self._step, name, self._drawing, declaration)

    def __getattr__(self, name: str) -> OutputRef:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared or {})

    def __len__(self) -> int:
        return len(self._declared or {})


class StepCall:
    """A step that was drawn."""

    def __init__(
        self,
        name: str,
        component: Any,
        inputs: Mapping[str, Any],
        outputs: Outputs,
        place: Mapping[str, Any],
    ) -> None:
        self.name = name
        self.component = component
        self.inputs = dict(inputs)
        self.outputs = outputs
        self.place = dict(place)
        self.depends_on: list[str] = []
        # Outputs that become versions in the catalog: as declared, and as said here.
        self.declared_names: dict[str, dict[str, str]] = {}
        self.names: dict[str, dict[str, str]] = {}

    def after(self, *others: StepCall) -> StepCall:
        """Runs it after others from which it reads nothing."""
        self.depends_on += [other.name for other in others if other.name not in self.depends_on]
        return self

    def __repr__(self) -> str:
        return f"<step {self.name}>"


class Drawing:
    """The steps of one pipeline, as they were called."""

    def __init__(self) -> None:
        self.calls: dict[str, StepCall] = {}
        self.problems: list[Problem] = []

    def add(
        self,
        name: str,
        component: Any,
        inputs: Mapping[str, Any],
        declared_outputs: Mapping[str, Mapping[str, Any]] | None,
    ) -> StepCall:
        """Records a call. A name that is taken gets a number."""
        free = name
        number = 2
        while free in self.calls:
            free = f"{name}_{number}"
            number += 1
        call = StepCall(free, component, {}, Outputs(free, declared_outputs, self), caller())
        for port, value in inputs.items():
            call.inputs[port] = self._bindable(call, port, value)
        self.calls[free] = call
        return call

    def name_output(self, ref: OutputRef, naming: dict[str, str]) -> None:
        """Records the name that an output gets."""
        call = self.calls[ref.step]
        if not call.component.outputs_may_be_named:
            self._note(call, f"outputs.{ref.output}", "what it registers has a name already", "leave `named` out")
        elif call.names.setdefault(ref.output, naming) != naming:
            first = call.names[ref.output]["name"]
            self._note(
                call,
                f"outputs.{ref.output}",
                f"it is named `{first}` and `{naming['name']}`: an output has one name",
                "register_model_step makes further models of it",
            )

    def _bindable(self, call: StepCall, port: str, value: object) -> object:
        if isinstance(value, StepCall):
            if len(value.outputs) == 1:
                value = value.outputs[next(iter(value.outputs))]
            else:
                self._note(
                    call,
                    f"inputs.{port}",
                    f"the step `{value.name}` has several outputs",
                    f"say which: {value.name}.outputs[…]",
                )
                return None
        if isinstance(value, OutputRef) and value.drawing is not self:
            self._note(
                call,
                f"inputs.{port}",
                f"`{value.step}` is a step of another pipeline",
                "return it there, and take it from that pipeline's outputs",
            )
            return None
        return value

    def _note(self, call: StepCall, where: str, message: str, help_text: str) -> None:
        self.problems.append(
            Problem(
                "bad_binding",
                "error",
                message,
                help=help_text,
                path=f"{call.name}.{where}",
                **call.place,
            )
        )


_drawing: ContextVar[Drawing | None] = ContextVar("tidemill_drawing", default=None)


def current_drawing() -> Drawing | None:
    """The pipeline that is being drawn, if one is."""
    return _drawing.get()


@contextmanager
def draw_in(drawing: Drawing) -> Iterator[Drawing]:
    """Records calls in this drawing."""
    token = _drawing.set(drawing)
    try:
        yield drawing
    finally:
        _drawing.reset(token)


def caller() -> dict[str, Any]:
    """The place in the author's file."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE + os.sep):
        frame = frame.f_back
    return {"file": frame.f_code.co_filename, "line": frame.f_lineno}
