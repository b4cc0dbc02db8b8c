"""What goes in and out of steps and pipelines: declared once, as an annotation of a function or by itself.

A function's file or folder is annotated with `InputFile`, `InputFolder`, `OutputFile` or `OutputFolder` (all of them paths to a type checker), or with
`Annotated[Path, Input("mltable", mode="download")]` for other types and modes; a literal with `int`, `float`, `str`, `bool` or `Annotated[int, Param(min=1)]`.
"""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tidemill._naming import naming
from tidemill.errors import Problem, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Input", "InputFile", "InputFolder", "Output", "OutputFile", "OutputFolder", "Param", "Ports"]

LITERALS = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclass(frozen=True)
class Input:
    """Files that a step reads."""

    type: str = "uri_folder"
    mode: str | None = None
    optional: bool = False
    description: str = ""

    def declaration(self) -> dict[str, Any]:
        """It in the words of pipeline files."""
        return _without_empty(
            type=self.type,
            mode=self.mode,
            optional=self.optional or None,
            description=self.description or None,
        )


@dataclass(frozen=True)
class Output:
    """Files that a step writes.

    With a `name` they become a version in the catalog when the step has ended well: of a model if `type` is one of a model, else of data. `version` fixes which, `label`
    is to point at it.
    """

    type: str = "uri_folder"
    optional: bool = False
    description: str = ""
    name: str | None = None
    version: str | int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        if self.name is None and (self.version is not None or self.label is not None):
            raise ValidationError(
                "an output with a version or a label needs a name",
                code="bad_name",
                hint=f'Output("{self.type}", name="…", …)',
            )
        self.naming()

    def declaration(self) -> dict[str, Any]:
        """It in the words of pipeline files, without its name: that stands at the step."""
        return _without_empty(type=self.type, optional=self.optional or None, description=self.description or None)

    def naming(self) -> dict[str, str]:
        """Its name in the words of pipeline files; nothing for one without."""
        return naming(self.name, self.version, self.label) if self.name is not None else {}


@dataclass(frozen=True)
class Param:
    """A literal: text, a number or a truth value."""

    type: str = ""
    default: bool | int | float | str | None = None
    optional: bool = False
    min: int | float | None = None
    max: int | float | None = None
    enum: Sequence[str | int | float] = ()
    description: str = ""

    def declaration(self) -> dict[str, Any]:
        """It in the words of pipeline files."""
        return _without_empty(
            type=self.type or _type_of(self.default),
            default=self.default,
            optional=self.optional or None,
            min=self.min,
            max=self.max,
            enum=list(self.enum) or None,
            description=self.description or None,
        )


InputFile = Annotated[Path, Input("uri_file")]
InputFolder = Annotated[Path, Input("uri_folder")]
OutputFile = Annotated[Path, Output("uri_file")]
OutputFolder = Annotated[Path, Output("uri_folder")]


@dataclass(frozen=True)
class Ports:
    """The inputs and outputs of a step or pipeline, in their order."""

    inputs: Mapping[str, Input | Param]
    outputs: Mapping[str, Output]

    def declarations(self) -> dict[str, Any]:
        """Both in the words of pipeline files; nothing for none."""
        return _without_empty(
            inputs={name: port.declaration() for name, port in self.inputs.items()} or None,
            outputs={name: port.declaration() for name, port in self.outputs.items()} or None,
        )

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Ports:
        """Reads a function's annotations; reports every parameter that cannot be one of a step."""
        try:
            hints = typing.get_type_hints(function, include_extras=True)
        except NameError as error:
            raise ValidationError(
                f"an annotation of {function.__qualname__} cannot be read: {error}",
                code="bad_annotation",
                hint="import its types where the function is defined, not under TYPE_CHECKING",
            ) from error
        inputs: dict[str, Input | Param] = {}
        outputs: dict[str, Output] = {}
        problems = []
        for name, parameter in inspect.signature(function).parameters.items():
            found = _port(hints.get(name), parameter)
            if isinstance(found, str):
                problems.append(_problem(function, name, found))
            elif isinstance(found, Output):
                outputs[name] = found
            else:
                inputs[name] = found
        if problems:
            raise ValidationError(
                f"{function.__qualname__} cannot be a step or pipeline",
                code="bad_signature",
                problems=problems,
            )
        return cls(inputs, outputs)


def port_of(value: object) -> Input | Param:
    """What a mapping of inputs declares: a declaration, a type's word, or a literal that is its default."""
    if isinstance(value, (Input, Param)):
        return value
    if isinstance(value, str) and value in LITERALS.values():
        return Param(value)
    if isinstance(value, str) and (value.startswith("uri_") or value == "mltable" or value.endswith("_model")):
        return Input(value)
    if isinstance(value, type) and value in LITERALS:
        return Param(LITERALS[value])
    if isinstance(value, (bool, int, float, str)):
        return Param(default=value)
    raise ValidationError(
        f"{value!r} declares no input",
        code="bad_port",
        hint='write Input("uri_file"), Param("number") or a default',
    )


def output_of(value: object) -> Output:
    """What a mapping of outputs declares: a declaration or a type's word."""
    if isinstance(value, Output):
        return value
    if isinstance(value, str):
        return Output(value)
    raise ValidationError(f"{value!r} declares no output", code="bad_port", hint='write Output("uri_file")')


def _port(hint: Any, parameter: inspect.Parameter) -> Input | Output | Param | str:
    """The port of a function's parameter, or what is wrong with it."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        return "a step's parameters have names: `*args`, `**kwargs` and `/` cannot be given"
    hint, is_optional = _without_none(hint)
    default = None if parameter.default is parameter.empty else parameter.default
    has_default = parameter.default is not parameter.empty
    marker = next((m for m in getattr(hint, "__metadata__", ()) if isinstance(m, (Input, Output, Param))), None)
    base = typing.get_origin(hint) and hint.__origin__ if marker is not None else hint
    if isinstance(marker, Output):
        return marker
    if isinstance(marker, Input):
        if has_default and default is not None:
            return "files have no default but None; bind them in the pipeline"
        return replace(marker, optional=marker.optional or has_default)
    literal = typing.get_origin(base)
    choices: Sequence[Any] = ()
    if literal is typing.Literal:
        choices = typing.get_args(base)
        base = type(choices[0])
    kind = LITERALS.get(base)
    if kind is None:
        if base in (Path, None):
            return "say what it is: InputFile, InputFolder, OutputFile, OutputFolder, or int, float, str, bool"
        return f"`{getattr(base, '__name__', base)}` is no type that a pipeline carries; use files, int, float, str or bool"
    if default is not None and not isinstance(default, (bool, int, float, str)):
        return f"its default {default!r} is no literal"
    param = marker if isinstance(marker, Param) else Param()
    return replace(
        param,
        type=param.type or kind,
        default=default if default is not None else param.default,
        optional=param.optional or (has_default and default is None) or (is_optional and not has_default),
        enum=param.enum or tuple(choices),
    )


def _without_none(hint: Any) -> tuple[Any, bool]:
    """`X` of `X | None`."""
    arguments = typing.get_args(hint)
    if type(None) in arguments and typing.get_origin(hint) is not typing.Literal:
        rest = [argument for argument in arguments if argument is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return hint, False


def _type_of(default: object) -> str:
    return LITERALS.get(type(default), "string")


def _problem(function: Callable[..., Any], name: str, message: str) -> Problem:
    code = getattr(function, "__code__", None)
    return Problem(
        code="bad_signature",
        severity="error",
        message=message,
        file=code.co_filename if code else None,
        line=code.co_firstlineno if code else None,
        path=f"{function.__qualname__}.{name}",
    )


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
