"""Pipelines drawn in Python: calling the function draws the graph; nothing runs, and nothing is read or sent.

What is drawn is rendered to a pipeline file's words as JSON, which the coordinator reads like any other pipeline file.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from tidemill._artifacts import Artifact
from tidemill._assets import AssetVersion
from tidemill._graph import Drawing, OutputRef, ParameterRef, StepCall, current_drawing, draw_in
from tidemill._load import Rendered
from tidemill._ports import Input, Ports
from tidemill._steps import Component, Options, Rendering, _as_name, _options
from tidemill.errors import Problem, ValidationError

__all__ = ["Pipeline", "PipelineFunction", "pipeline"]


class Pipeline:
    """A pipeline that was drawn, with the values that it was called with."""

    def __init__(self, function: PipelineFunction, values: Mapping[str, Any]) -> None:
        self.function = function
        self.name = function.name
        self._graph = function.graph()
        data = {name: value for name, value in values.items() if isinstance(function.declared.inputs[name], Input)}
        self._data = data
        # Literals travel with the submission, so that one published version serves every value.
        self.values = {name: value for name, value in values.items() if name not in data and value is not None}

    def to_dict(self) -> dict[str, Any]:
        """It in the words of pipeline files. Code folders are named by stand-ins; `render` knows what they hold."""
        return self._document(Rendering(self.name))

    def to_json(self) -> str:
        """The same as text, which is what the coordinator reads."""
        return json.dumps(self.to_dict(), indent=2)

    def render(self) -> Rendered:
        """It as text, with what the paths in it lead to."""
        into = Rendering(self.name)
        text = json.dumps(self._document(into), indent=2)
        # No file has this path; messages show it.
        return Rendered(file=f"{self.name}/{self.name}.json", text=text, root=Path.cwd(), sources=into.sources)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name} with {len(self._graph.calls)} steps>"

    def _repr_html_(self) -> str:
        from tidemill import _show

        nodes = [(name, "", sorted(_reads(call))) for name, call in self._graph.calls.items()]
        return _show.graph_html(self.name, nodes)

    def _document(self, into: Rendering) -> dict[str, Any]:
        function = self.function
        found: dict[str, Any] = {"type": "pipeline", "name": self.name}
        for key in ("display_name", "description", "experiment_name", "tags"):
            if function.about.get(key):
                found[key] = function.about[key]
        settings = {key: value for key, value in function.settings.items() if value is not None}
        if settings:
            found["settings"] = settings
        found.update(_body(self._graph, function.declared, into))
        for name, value in self._data.items():
            declared = function.declared.inputs[name].declaration()
            found["inputs"][name] = {**declared, "path": _data_text(name, value)}
        return found


class PipelineFunction(Component):
    """A function that draws a pipeline. Calling it gives the pipeline; calling it in another pipeline makes a step with steps in it."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        about: Mapping[str, Any],
        settings: Mapping[str, Any],
        options: Options,
    ) -> None:
        super().__init__(name, None, options)
        self.function = function
        self.declared = Ports.of(function)
        if self.declared.outputs:
            raise ValidationError(
                f"{name}: a pipeline returns its outputs",
                code="bad_signature",
                hint='return {"model": train.outputs["model"]}',
            )
        self.about = dict(about)
        self.settings = dict(settings)
        self._drawn: _Graph | None = None
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The pipeline with these values; in a pipeline that is being drawn, a step."""
        drawing = current_drawing()
        if drawing is not None:
            self.ports = Ports(self.declared.inputs, {})
            inputs = self._bound(args, kwargs)
            self.ports = None
            outputs = {name: ref.declaration or {} for name, ref in self.graph().outputs.items()}
            return drawing.add(self.name, self, inputs, outputs)
        bound = inspect.signature(self.function).bind_partial(*args, **kwargs)
        return Pipeline(self, bound.arguments)

    def draw(self) -> Pipeline:
        """The pipeline without values."""
        return Pipeline(self, {})

    def graph(self) -> _Graph:
        """What the function draws. It is drawn once."""
        if self._drawn is None:
            references = {name: ParameterRef(name, port.declaration()) for name, port in self.declared.inputs.items()}
            with draw_in(Drawing()) as drawing:
                returned = self.function(**references)
            outputs = _returned(returned, drawing, self.name)
            if not drawing.calls:
                drawing.problems.append(Problem("no_steps", "error", "it draws no step", path=self.name))
            if drawing.problems:
                raise ValidationError(
                    f"the pipeline `{self.name}` is not sound",
                    code="invalid_pipeline",
                    problems=drawing.problems,
                )
            self._drawn = _Graph(drawing.calls, outputs)
        return self._drawn

    def render(self, into: Rendering) -> dict[str, Any]:
        """It as the value of `component:`."""
        body = _body(self.graph(), self.declared, into)
        if self.settings.get("default_compute"):
            body["settings"] = {"default_compute": self.settings["default_compute"]}
        return {"type": "pipeline", **body}


class _Graph:
    def __init__(self, calls: Mapping[str, StepCall], outputs: Mapping[str, OutputRef]) -> None:
        self.calls = calls
        self.outputs = outputs


@overload
def pipeline(function: Callable[..., Any], /) -> PipelineFunction: ...


@overload
def pipeline(
    *,
    name: str | None = None,
    display_name: str | None = None,
    description: str | None = None,
    experiment: str | None = None,
    tags: Mapping[str, str] | None = None,
    compute: str | None = None,
    continue_on_step_failure: bool | None = None,
    force_rerun: bool | None = None,
) -> Callable[[Callable[..., Any]], PipelineFunction]: ...


def pipeline(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Makes a pipeline of a function: the steps that it calls are the graph, what it returns (`{"model": train.outputs["model"]}`) are the pipeline's outputs."""
    about = {
        "display_name": options.pop("display_name", None),
        "description": options.pop("description", None),
        "experiment_name": options.pop("experiment", None),
        "tags": dict(options.pop("tags", None) or {}),
    }
    settings = {
        "default_compute": options.pop("compute", None),
        "continue_on_step_failure": options.pop("continue_on_step_failure", None),
        "force_rerun": options.pop("force_rerun", None),
    }
    name = options.pop("name", None)
    rest = _options(options)

    def decorate(decorated: Callable[..., Any]) -> PipelineFunction:
        documented = {**about, "description": about["description"] or inspect.getdoc(decorated)}
        return PipelineFunction(decorated, _as_name(name or decorated.__name__), documented, settings, rest)

    return decorate(function) if function is not None else decorate


def _body(graph: _Graph, declared: Ports, into: Rendering) -> dict[str, Any]:
    fills: dict[str, dict[str, str]] = {}
    outputs: dict[str, Any] = {}
    for name, ref in graph.outputs.items():
        fills.setdefault(ref.step, {})[ref.output] = f"${{{{parent.outputs.{name}}}}}"
        outputs[name] = dict(ref.declaration) if ref.declaration else None
    found: dict[str, Any] = {"inputs": {name: port.declaration() for name, port in declared.inputs.items()}}
    if not found["inputs"]:
        del found["inputs"]
    if outputs:
        found["outputs"] = outputs
    found["jobs"] = {name: _job(call, fills.get(name), into) for name, call in graph.calls.items()}
    return found


def _job(call: StepCall, fills: Mapping[str, str] | None, into: Rendering) -> dict[str, Any]:
    component: Component = call.component
    found = component.words(into)
    if call.inputs:
        found["inputs"] = {port: _binding(component, port, value) for port, value in call.inputs.items()}
    outputs = _outputs(call, fills or {})
    if outputs:
        found["outputs"] = outputs
    if call.depends_on:
        found["depends_on"] = list(call.depends_on)
    found.update(component.options.rendered())
    return found


def _outputs(call: StepCall, fills: Mapping[str, str]) -> dict[str, Any]:
    """What becomes of a step's outputs: which of the pipeline's they are, and what names they get."""
    found: dict[str, Any] = dict(fills)
    for port, naming in {**call.declared_names, **call.names}.items():
        found[port] = {**naming, "path": fills[port]} if port in fills else dict(naming)
    return found


def _binding(component: Component, port: str, value: Any) -> Any:
    if isinstance(value, (ParameterRef, OutputRef)):
        return str(value)
    declared = component.ports.inputs.get(port) if component.ports is not None else None
    if isinstance(component, PipelineFunction):
        declared = component.declared.inputs.get(port)
    if isinstance(declared, Input):
        path = {"path": _data_text(port, value)}
        return {"type": declared.type, **path} if declared.type else path
    if isinstance(value, (os.PathLike, AssetVersion)):
        return {"path": _data_text(port, value)}
    if isinstance(value, (bool, int, float, str)):
        return value
    raise ValidationError(
        f"{value!r} cannot be given to `{port}`",
        code="bad_binding",
        hint="give a literal, a path, a parameter or an output",
    )


def _data_text(name: str, value: Any) -> str:
    if isinstance(value, AssetVersion):
        return f"azureml:{value.name}:{value.version}"
    if isinstance(value, Artifact):
        raise ValidationError(
            f"`{name}`: an output of another run has no name in a pipeline",
            code="bad_binding",
            hint="register it: client.data.register(NAME, artifact)",
        )
    if not isinstance(value, (str, os.PathLike)):
        raise ValidationError(
            f"{value!r} cannot be given to `{name}`",
            code="bad_binding",
            hint="it takes files: give a path, a name of the catalog, a parameter or an output",
        )
    text: str = os.fspath(value)
    if isinstance(value, str) and ("://" in text or text.startswith("azureml:")):
        return text
    return str(Path(text).absolute())


def _returned(returned: Any, drawing: Drawing, name: str) -> dict[str, OutputRef]:
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        raise ValidationError(
            f"the pipeline `{name}` returns {type(returned).__name__}",
            code="bad_return",
            hint='return {"model": train.outputs["model"]}, or nothing',
        )
    found: dict[str, OutputRef] = {}
    for output, value in returned.items():
        if isinstance(value, StepCall) and len(value.outputs) == 1:
            value = value.outputs[next(iter(value.outputs))]
        if not isinstance(value, OutputRef) or value.drawing is not drawing:
            drawing.problems.append(
                Problem(
                    "bad_return",
                    "error",
                    f"the output `{output}` is no output of one of its steps",
                    path=name,
                )
            )
            continue
        found[str(output)] = value
    return found


def _reads(call: StepCall) -> Sequence[str]:
    return [*{value.step for value in call.inputs.values() if isinstance(value, OutputRef)}, *call.depends_on]
