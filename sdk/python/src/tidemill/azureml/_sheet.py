"""A pipeline of azureml's steps as a pipeline file's words. What the words mean is the coordinator's business."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill._load import Rendered
from tidemill._pipeline import Pipeline as Drawn
from tidemill._scan import Source
from tidemill._steps import Rendering
from tidemill.azureml._names import as_name, as_step
from tidemill.azureml._ports import Given, Made
from tidemill.azureml.exceptions import UserErrorException
from tidemill.azureml.pipeline.core.builder import PipelineStep, StepSequence
from tidemill.azureml.pipeline.core.graph import PipelineParameter

if TYPE_CHECKING:
    from tidemill.azureml._ports import Output

__all__ = ["Document", "Sheet", "Words", "all_steps"]

STEP_FOLDER = "_tidemill"
_STANDS_FOR = re.compile(r"\$AZUREML_DATAREFERENCE_([A-Za-z0-9_]+)")


class Document(Drawn):
    """A pipeline of azureml's steps, to submit or publish as any other."""

    def __init__(
        self,
        name: str,
        steps: Sequence[PipelineStep],
        settings: Mapping[str, Any],
        description: str | None = None,
        code: str | None = None,
    ) -> None:
        # Nothing of the base's: there is no function, and values come with the submission.
        self.name = as_name(name, "pipeline")
        self.values = {}
        self._steps = list(steps)
        self._settings = dict(settings)
        self._description = description
        self._code = code

    def render(self) -> Rendered:
        """It as text, with what the paths in it lead to."""
        into = Rendering(self.name)
        text = json.dumps(self._document(into), indent=2)
        return Rendered(file=f"{self.name}/{self.name}.json", text=text, root=Path.cwd(), sources=into.sources)

    def __repr__(self) -> str:
        return f"<Pipeline {self.name} with {len(self._steps)} steps>"

    def _repr_html_(self) -> str:
        from tidemill import _show

        names = _names(self._steps)
        nodes = [(names[step], "", sorted({names[other] for other in step._before})) for step in self._steps]
        return _show.graph_html(self.name, nodes)

    def _document(self, into: Rendering) -> dict[str, Any]:
        sheet = Sheet(into, self._steps, self._code)
        jobs = {sheet.names[step]: sheet.job(step) for step in self._steps}
        found: dict[str, Any] = {"type": "pipeline", "name": self.name}
        if self._description:
            found["description"] = self._description
        settings = {key: value for key, value in self._settings.items() if value is not None}
        if settings:
            found["settings"] = settings
        if sheet.parameters:
            found["inputs"] = {parameter._port: parameter._declaration() for parameter in sheet.parameters.values()}
        if sheet.outputs:
            found["outputs"] = sheet.outputs
        return {**found, "jobs": jobs}


class Sheet:
    """What is known while the steps of one pipeline are written down."""

    def __init__(self, into: Rendering, steps: Sequence[PipelineStep], code: str | None) -> None:
        self._into = into
        self._default_code = code
        self.names = _names(steps)
        self.parameters: dict[str, PipelineParameter] = {}
        self.outputs: dict[str, Any] = {}

    def job(self, step: PipelineStep) -> dict[str, Any]:
        """A step with its order."""
        found = step._node(self)
        read = [given.source for given in step._given.values()]
        copies = [source._producer for source in read if isinstance(source, Made) and source._same_as is not None]
        if step._after or copies:
            found["depends_on"] = list(dict.fromkeys(self.names[other] for other in [*step._after, *copies]))
        return {"display_name": step.name, **found}

    def parameter(self, parameter: PipelineParameter) -> str:
        """How a parameter of the pipeline is named in a step's bindings."""
        known = self.parameters.setdefault(parameter._port, parameter)
        if known is not parameter and known._declaration() != parameter._declaration():
            raise UserErrorException(
                f"there are two parameters `{parameter.name}` with different defaults",
                code="bad_parameter",
                hint="use one PipelineParameter object in all steps",
            )
        return f"${{{{parent.inputs.{parameter._port}}}}}"

    def value(self, value: Any) -> Any:
        """A setting of a step that may be a parameter."""
        return self.parameter(value) if isinstance(value, PipelineParameter) else value

    def binding(self, given: Given) -> Any:
        """What is bound to an input."""
        source = given.source
        if isinstance(source, PipelineParameter):
            return self.parameter(source)
        if isinstance(source, Made) and source._same_as is not None:
            return self.binding(source._same_as)
        if isinstance(source, Made):
            name = next(name for name, made in source._producer._made.items() if made is source)
            return f"${{{{parent.jobs.{self.names[source._producer]}.outputs.{name}}}}}"
        return {"type": given.kind, "path": source}

    def fills(self, outputs: Iterable[Output]) -> dict[str, Any]:
        """What becomes of outputs that are the pipeline's own, or get a name."""
        found: dict[str, Any] = {}
        for output in outputs:
            if output.pipeline_output is not None:
                if output.pipeline_output in self.outputs:
                    raise UserErrorException(
                        f"two outputs are called `{output.pipeline_output}` in the pipeline", code="bad_output"
                    )
                self.outputs[output.pipeline_output] = {"type": output.type}
            where = f"${{{{parent.outputs.{output.pipeline_output}}}}}" if output.pipeline_output else None
            if output.registered_as is not None:
                named = {"type": output.type, "name": output.registered_as}
                found[output.name] = {**named, "path": where} if where else named
            elif where is not None:
                found[output.name] = where
        return found

    def code(self, folder: str | None, needed: str | None, *, shim: bool) -> str:
        """The code folder of a step, with what stands in for azureml there."""
        root = Path(folder or self._default_code or ".").absolute()
        if not root.is_dir():
            raise UserErrorException(f"there is no source directory {root}", code="no_code")
        if needed is not None and not (root / needed).is_file():
            raise UserErrorException(f"there is no file `{needed}` in {root}", code="no_script")
        return self._into.add(Source(root, step_files() if shim else {}))

    def no_code(self) -> str:
        """A folder with nothing but what stands in for azureml."""
        return self._into.add(Source(None, step_files()))


class Words:
    """The arguments of a step as a command line, and the inputs that they need beside those of the step."""

    def __init__(self, step: PipelineStep, sheet: Sheet) -> None:
        self._step = step
        self._sheet = sheet
        self.inputs: dict[str, dict[str, Any]] = {}
        self.bindings: dict[str, Any] = {}
        for given in step._given.values():
            self.inputs[given.name] = given.declaration()
            self.bindings[given.name] = sheet.binding(given)
        # What stands in texts for things that were put into them.
        self._named = {name: f"${{{{inputs.{name}}}}}" for name in step._given}
        self._named.update({name: f"${{{{outputs.{name}}}}}" for name in step._outputs})

    def line(self, arguments: Iterable[Any]) -> str:
        """Arguments, each one word whatever it holds."""
        return " ".join(self.word(value) for value in arguments)

    def word(self, value: Any) -> str:
        """One argument."""
        known = self._step._word_of.get(id(value))
        if known is not None:
            return known
        if isinstance(value, PipelineParameter):
            return self.parameter(value)
        if isinstance(value, (list, dict, tuple)) or value is None:
            raise UserErrorException(
                f"{value!r} is an argument of the step `{self._step.name}`",
                code="bad_argument",
                hint="arguments are texts, numbers, parameters, inputs and outputs",
            )
        text = str(value)
        if "${{" in text or "$[[" in text or not text.isprintable():
            return self._carried(text)
        return "".join(self._pieces(text, shlex.quote)) or "''"

    def raw(self, text: str) -> str:
        """A command line of the author's, as it is."""
        return "".join(self._pieces(text, str))

    def parameter(self, parameter: PipelineParameter) -> str:
        """A parameter as a word."""
        name = parameter._port
        while name in self.inputs and self.bindings.get(name) != f"${{{{parent.inputs.{parameter._port}}}}}":
            name += "_parameter"
        declared = parameter._declaration()
        kept: dict[str, Any] = {key: declared[key] for key in ("type", "optional") if key in declared}
        self.inputs[name] = kept
        self.bindings[name] = self._sheet.parameter(parameter)
        return f"${{{{inputs.{name}}}}}"

    def _carried(self, text: str) -> str:
        """A text that cannot stand in a command as it is: it is handed over as an input."""
        number = 1
        while f"argument_{number}" in self.inputs:
            number += 1
        name = f"argument_{number}"
        self.inputs[name] = {"type": "string", "default": text.replace("${{", "\\${{")}
        return f"${{{{inputs.{name}}}}}"

    def _pieces(self, text: str, quoted: Any) -> Iterable[str]:
        """Texts, and in their midst what stands for inputs and outputs."""
        at = 0
        for match in _STANDS_FOR.finditer(text):
            name = match[1]
            if name in self._named:
                if match.start() > at:
                    yield quoted(text[at : match.start()])
                yield self._named[name]
                at = match.end()
        if at < len(text):
            yield quoted(text[at:])


def all_steps(steps: Any, *, closed: bool) -> list[PipelineStep]:
    """The steps of nested lists, each once, and (`closed`) those that they need, in an order in which each comes after what it needs; then those that copy outputs to datastores."""
    listed = list(_flat(steps))
    found: dict[PipelineStep, None] = {}
    open_steps: set[PipelineStep] = set()

    def visit(step: PipelineStep) -> None:
        if step in found:
            return
        if step in open_steps:
            raise UserErrorException(f"the step `{step.name}` needs itself", code="circle")
        open_steps.add(step)
        for other in step._before:
            if not closed and other not in listed:
                raise UserErrorException(f"`{step.name}` needs `{other.name}`, which is not listed", code="not_listed")
            visit(other)
        open_steps.discard(step)
        found[step] = None

    for step in listed:
        visit(step)
    if not found:
        raise UserErrorException("the pipeline has no step", code="no_steps")
    return [*found, *_copies(found)]


def _copies(steps: Iterable[PipelineStep]) -> list[PipelineStep]:
    """The steps that copy what others write to where their outputs are to be."""
    from tidemill.azureml.pipeline.steps.data_transfer_step import OutputCopy

    made = [(step, output, output._copied_to()) for step in steps for output in step._made.values()]
    return [OutputCopy(step, output, place) for step, output, place in made if place is not None]


def step_files() -> dict[str, bytes]:
    """What stands in for azureml in a step, which may have no tidemill: by path in its code folder."""
    here = Path(__file__).parent / "_step"
    paths = sorted(path for path in here.rglob("*.py"))
    return {f"{STEP_FOLDER}/azureml/{path.relative_to(here).as_posix()}": path.read_bytes() for path in paths}


def _flat(steps: Any) -> Iterable[PipelineStep]:
    if isinstance(steps, PipelineStep):
        yield steps
    elif isinstance(steps, (list, tuple, StepSequence)):
        for step in steps:
            yield from _flat(step)
    else:
        raise UserErrorException(f"{steps!r} is no step", code="bad_step")


def _names(steps: Iterable[PipelineStep]) -> dict[PipelineStep, str]:
    names: dict[PipelineStep, str] = {}
    for step in steps:
        name = base = as_step(step.name)
        number = 2
        while name in names.values():
            name, number = f"{base}_{number}", number + 1
        names[step] = name
    return names
