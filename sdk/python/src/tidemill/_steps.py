"""The kinds of step: a Python function, a command line, a component file. Calling one while a pipeline is drawn makes a step of it.

They render to the words of pipeline files, as a mapping; what the words mean is the coordinator's business.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

from tidemill._graph import Drawing, StepCall, caller, current_drawing
from tidemill._inside import Inside
from tidemill._ports import Input, Param, Ports, output_of, port_of
from tidemill._scan import Source
from tidemill.errors import NotFoundError, Problem, ValidationError

__all__ = [
    "CommandComponent",
    "Component",
    "ComponentFile",
    "FunctionStep",
    "Options",
    "StepDecorator",
    "command_step",
    "load_component",
    "step",
]

ENTRY_FOLDER = "_tidemill"
PYTHON = "python3"
SelfComponent = TypeVar("SelfComponent", bound="Component")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Options:
    """How a step runs, in the words of pipeline files; None leaves a word out."""

    compute: str | None = None
    environment: str | Mapping[str, Any] | None = None
    environment_variables: Mapping[str, str] | None = None
    retry: int | Mapping[str, Any] | None = None
    timeout: str | int | None = None
    priority: int | None = None
    cache: bool | None = None
    when: str | None = None
    checkpoint: str | Mapping[str, Any] | None = None
    secrets: Mapping[str, Any] | None = None
    resources: Mapping[str, Any] | None = None
    distribution: Mapping[str, Any] | None = None
    display_name: str | None = None

    def over(self, below: Options) -> Options:
        """These, and those below where these say nothing."""
        merged = {name: mine if mine is not None else getattr(below, name) for name, mine in vars(self).items()}
        return Options(**merged)

    def rendered(self) -> dict[str, Any]:
        """What is said, in the words of pipeline files."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if value is not None:
                found[name] = dict(value) if isinstance(value, Mapping) else value
        if isinstance(self.environment, str):
            # A file of this machine; anything else is a registered name.
            path = Path(self.environment).expanduser()
            if self.environment.endswith((".yml", ".yaml")) and not self.environment.startswith("azureml:"):
                found["environment"] = str(path.absolute())
        return found


@dataclass
class Rendering:
    """Where what is no file of this machine is put while a pipeline is rendered."""

    folder: str
    sources: dict[str, Source] = field(default_factory=dict)

    def add(self, source: Source) -> str:
        """Keeps a source and answers with the path for it; equal ones are kept once."""
        for path, known in self.sources.items():
            if known == source:
                return "./" + path.removeprefix(self.folder + "/")
        name = f"code-{len(self.sources) + 1}"
        self.sources[f"{self.folder}/{name}"] = source
        return f"./{name}"


class Component:
    """Something that can be a step."""

    # Whether `named` may be said of its outputs.
    outputs_may_be_named = True

    def __init__(self, name: str, ports: Ports | None, options: Options) -> None:
        self.name = name
        # None where only the coordinator will know.
        self.ports = ports
        self.options = options

    def with_options(
        self: SelfComponent,
        *,
        name: str | None = None,
        compute: str | None = None,
        environment: str | Mapping[str, Any] | None = None,
        environment_variables: Mapping[str, str] | None = None,
        retry: int | Mapping[str, Any] | None = None,
        timeout: str | int | None = None,
        priority: int | None = None,
        cache: bool | None = None,
        when: str | None = None,
        checkpoint: str | Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
        resources: Mapping[str, Any] | None = None,
        distribution: Mapping[str, Any] | None = None,
        display_name: str | None = None,
    ) -> SelfComponent:
        """The same, run in another way or under another step name."""
        options = Options(
            compute=compute,
            environment=environment,
            environment_variables=environment_variables,
            retry=retry,
            timeout=timeout,
            priority=priority,
            cache=cache,
            when=when,
            checkpoint=checkpoint,
            secrets=secrets,
            resources=resources,
            distribution=distribution,
            display_name=display_name,
        )
        other = copy.copy(self)
        other.options = options.over(self.options)
        other.name = name or self.name
        return other

    def render(self, into: Rendering) -> str | dict[str, Any]:
        """It as the value of `component:`."""
        raise NotImplementedError

    def words(self, into: Rendering) -> dict[str, Any]:
        """What a step of it says of what it is."""
        return {"component": self.render(into)}

    def call_in(self, drawing: Drawing, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StepCall:
        """Makes a step of it."""
        inputs = self._bound(args, kwargs)
        if self.ports is None:
            return drawing.add(self.name, self, inputs, None)
        outputs = self.ports.outputs
        call = drawing.add(self.name, self, inputs, {name: port.declaration() for name, port in outputs.items()})
        call.declared_names = {name: port.naming() for name, port in outputs.items() if port.name is not None}
        return call

    def __call__(self, *args: Any, **kwargs: Any) -> StepCall:
        """Makes a step of it in the pipeline that is being drawn."""
        drawing = current_drawing()
        if drawing is None:
            raise ValidationError(
                f"`{self.name}` was called outside of a pipeline",
                code="no_pipeline",
                hint="call it in a function with @tidemill.pipeline",
            )
        return self.call_in(drawing, args, kwargs)

    def _bound(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What is given to its inputs; every mistake is reported at once."""
        if self.ports is None:
            if args:
                raise ValidationError(
                    f"give the inputs of `{self.name}` by name",
                    code="bad_call",
                    problems=[_wrong("no names", "")],
                )
            return {name: value for name, value in kwargs.items() if value is not None}
        names = list(self.ports.inputs)
        problems = []
        if len(args) > len(names):
            problems.append(_wrong(f"it has {len(names)} inputs, and {len(args)} were given", self.name))
        given = dict(zip(names, args, strict=False))
        for name, value in kwargs.items():
            if name in given:
                problems.append(_wrong(f"`{name}` was given twice", self.name))
            elif name in self.ports.outputs:
                problems.append(_wrong(f"`{name}` is an output: the step is told where to write it", self.name))
            elif name not in names:
                problems.append(
                    _wrong(f"it has no input `{name}`", self.name, f"its inputs are {', '.join(names) or 'none'}")
                )
            given[name] = value
        given = {name: value for name, value in given.items() if value is not None}
        for name, port in self.ports.inputs.items():
            is_needed = not port.optional and (isinstance(port, Input) or port.default is None)
            if is_needed and name not in given:
                problems.append(_wrong(f"`{name}` was not given", self.name))
        if problems:
            raise ValidationError(f"the call of `{self.name}` is wrong", code="bad_call", problems=problems)
        return given


class CommandComponent(Component):
    """A command line."""

    def __init__(
        self, name: str, command: str, code: Path | None, ports: Ports, options: Options, deterministic: bool
    ) -> None:
        super().__init__(name, ports, options)
        self.command = command
        self.code = code
        self.deterministic = deterministic

    def render(self, into: Rendering) -> dict[str, Any]:  # noqa: ARG002 - its code is a folder of this machine
        """It as the value of `component:`."""
        assert self.ports is not None
        found: dict[str, Any] = {"type": "command", **self.ports.declarations(), "command": self.command}
        if self.code is not None:
            found["code"] = str(self.code)
        if not self.deterministic:
            found["is_deterministic"] = False
        return found


class ComponentFile(Component):
    """A component that is in a file, or registered under a name. What it takes and gives only the coordinator knows."""

    def __init__(self, name: str, reference: str, options: Options) -> None:
        super().__init__(name, None, options)
        self.reference = reference

    def render(self, into: Rendering) -> str:  # noqa: ARG002 - a path leads there by itself
        """It as the value of `component:`."""
        return self.reference


class FunctionStep(Component, Generic[Result]):
    """A Python function. In a pipeline that is being drawn a call makes a step of it; anywhere else the function is called."""

    def __init__(self, function: Callable[..., Result], name: str, code: Path | None, options: Options) -> None:
        super().__init__(name, Ports.of(function), options)
        self.function = function
        self.code = code
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Makes a step of it in the pipeline that is being drawn; outside of one, calls the function."""
        drawing = current_drawing()
        if drawing is None:
            return self.function(*args, **kwargs)
        return self.call_in(drawing, args, kwargs)

    def render(self, into: Rendering) -> dict[str, Any]:
        """It as the value of `component:`."""
        assert self.ports is not None
        source, module = _code_of(self.function, self.code)
        values = ",".join(f"{name}={_kind(port)}" for name, port in self.ports.inputs.items())
        outputs = ",".join(f"{name}={port.type}" for name, port in self.ports.outputs.items())
        words = [
            PYTHON,
            f"{ENTRY_FOLDER}/entry.py",
            module,
            self.function.__name__,
            f"--inputs={values}",
            f"--outputs={outputs}",
        ]
        return {
            "type": "command",
            **self.ports.declarations(),
            "code": into.add(source),
            "command": " ".join(words),
        }


def command_step(
    command: str,
    *,
    name: str | None = None,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    code: str | os.PathLike[str] | None = None,
    deterministic: bool = True,
    **options: Any,
) -> CommandComponent:
    """A step that runs a command line, written as in pipeline files: `python train.py --data ${{inputs.data}} --model ${{outputs.model}}`.

    `inputs` and `outputs` declare what the command names: `{"data": "uri_folder", "rate": 0.1}`. `code` is a folder of files that the command finds in its
    working folder. Other keywords are those of `with_options`.
    """
    ports = Ports(
        {key: port_of(value) for key, value in (inputs or {}).items()},
        {key: output_of(value) for key, value in (outputs or {}).items()},
    )
    folder = None
    if code is not None:
        folder = Path(os.fspath(code)).absolute()
        if not folder.exists():
            raise NotFoundError(f"there is no {folder}", code="not_found")
    first = Path(command.split()[0]).stem if command.split() else "step"
    return CommandComponent(name or _as_name(first), command, folder, ports, _options(options), deterministic)


def load_component(source: str | os.PathLike[str], *, name: str | None = None, **options: Any) -> ComponentFile:
    """A component of a file (`"train.yml"`), or one that is registered (`"azureml:train:2"`). Other keywords are those of `with_options`."""
    text = os.fspath(source)
    if text.startswith("azureml:"):
        bare = text.split(":", 1)[1].rsplit("/", 1)[-1]
        return ComponentFile(name or _as_name(bare.split(":")[0].split("@")[0]), text, _options(options))
    path = Path(text).absolute()
    if not path.is_file():
        raise NotFoundError(f"there is no component file {path}", code="not_found")
    return ComponentFile(name or _as_name(path.stem), str(path), _options(options))


class StepDecorator(Inside):
    """`@step` makes a step of a Python function, whose annotations say what it takes and writes. Inside of a step, `step.inputs()` and its kin are those of `current`.

    The function's file runs with everything in its folder (or `code`), under the ignore rules. The module is imported there, so whatever it does at import is done
    again: keep submissions under `if __name__ == "__main__":`.
    """

    @overload
    def __call__(self, function: Callable[..., Result], /) -> FunctionStep[Result]: ...

    @overload
    def __call__(
        self,
        /,
        *,
        name: str | None = None,
        code: str | os.PathLike[str] | None = None,
        compute: str | None = None,
        environment: str | Mapping[str, Any] | None = None,
        environment_variables: Mapping[str, str] | None = None,
        retry: int | Mapping[str, Any] | None = None,
        timeout: str | int | None = None,
        priority: int | None = None,
        cache: bool | None = None,
        when: str | None = None,
        checkpoint: str | Mapping[str, Any] | None = None,
        secrets: Mapping[str, Any] | None = None,
        resources: Mapping[str, Any] | None = None,
        display_name: str | None = None,
    ) -> Callable[[Callable[..., Result]], FunctionStep[Result]]: ...

    def __call__(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Makes a step of a function; with options, the decorator that does."""
        name = options.pop("name", None)
        code = options.pop("code", None)
        folder = Path(os.fspath(code)).absolute() if code is not None else None

        def decorate(decorated: Callable[..., Any]) -> FunctionStep[Any]:
            return FunctionStep(decorated, name or decorated.__name__, folder, _options(options))

        return decorate(function) if function is not None else decorate

    def __repr__(self) -> str:
        return "tidemill.step"


step = StepDecorator()


def _options(options: Mapping[str, Any]) -> Options:
    try:
        return Options(**options)
    except TypeError as error:
        unknown = [name for name in options if name not in Options.__dataclass_fields__]
        raise ValidationError(
            f"unknown options: {', '.join(unknown)}",
            code="bad_option",
            hint=f"there are {', '.join(Options.__dataclass_fields__)}",
        ) from error


def _kind(port: Input | Param) -> str:
    return port.declaration()["type"] if isinstance(port, Param) else "path"


def _code_of(function: Callable[..., Any], code: Path | None) -> tuple[Source, str]:
    """The folder to take along and the module in it that holds the function."""
    here = Path(__file__).parent
    extra = {
        f"{ENTRY_FOLDER}/{name}.py": (here / f"{file}.py").read_bytes()
        for name, file in (("entry", "_entry"), ("current", "current"))
    }
    file = inspect.getsourcefile(function) or ""
    path = Path(file)
    if not path.is_file() or _is_cell(file):
        return Source(
            code, {**extra, f"{ENTRY_FOLDER}/cell_{function.__name__}.py": _cell(function)}
        ), f"{ENTRY_FOLDER}.cell_{function.__name__}"
    path = path.resolve()
    root = path.parent
    while code is None and (root / "__init__.py").is_file():
        root = root.parent
    root = code.resolve() if code is not None else root
    if not path.is_relative_to(root):
        raise ValidationError(
            f"{path} is not in the code folder {root}",
            code="bad_code",
            hint="name a folder that holds the function's file",
        )
    parts = path.relative_to(root).with_suffix("").parts
    if not all(part.isidentifier() for part in parts):
        raise ValidationError(
            f"{path} cannot be imported by its name",
            code="bad_code",
            hint="letters, digits and `_` make a module's name",
        )
    return Source(root, extra), ".".join(parts)


def _is_cell(file: str) -> bool:
    return (
        file.startswith("<")
        or f"{os.sep}ipykernel_" in file
        or ("__main__" in sys.modules and hasattr(sys.modules["__main__"], "get_ipython") and "ipykernel" in file)
    )


def _cell(function: Callable[..., Any]) -> bytes:
    """A module with a function of a notebook: the function alone, so what it needs it imports itself."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except OSError as error:
        raise ValidationError(
            f"the source of {function.__name__} cannot be found",
            code="no_source",
            hint="define it in a file or a notebook's cell",
        ) from error
    node = ast.parse(text).body[0]
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    body = "\n".join(text.splitlines()[node.lineno - 1 :])
    return f"from __future__ import annotations\n\n\n{body}\n".encode()


def _as_name(text: str) -> str:
    kept = "".join(char if char.isalnum() or char in "_-" else "_" for char in text).strip("-_")
    return kept or "step"


def _wrong(message: str, path: str, help_text: str | None = None) -> Problem:
    return Problem("bad_call", "error", message, help=help_text, path=path, **caller())
