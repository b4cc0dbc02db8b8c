"""Steps that are versions of modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._ports import Given, Output, input_of, output_of
from tidemill.azureml._sheet import Words
from tidemill.azureml.core.runconfig import RunConfiguration, how
from tidemill.azureml.exceptions import UserErrorException, refuse
from tidemill.azureml.pipeline.core.builder import PipelineStep
from tidemill.azureml.pipeline.core.graph import PipelineParameter
from tidemill.azureml.pipeline.core.module import Module, ModuleVersion

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet

__all__ = ["ModuleStep"]


class ModuleStep(PipelineStep):
    """A step that is a version of a module."""

    def __init__(
        self,
        module: Module | None = None,
        version: str | None = None,
        module_version: ModuleVersion | None = None,
        inputs_map: Mapping[str, Any] | None = None,
        outputs_map: Mapping[str, Any] | None = None,
        compute_target: Any = None,
        runconfig: RunConfiguration | None = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        arguments: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        refuse(
            "ModuleStep",
            "a module's arguments are fixed when it is published",
            "give them to publish_python_script, and what changes as `params`",
            arguments=arguments,
            runconfig_pipeline_params=runconfig_pipeline_params,
        )
        found = module_version or (module.resolve(version) if module is not None else None)
        if found is None:
            raise UserErrorException("there is no such version of the module", code="no_module")
        self._module_version = found
        self._compute_target = compute_target
        self._runconfig = runconfig
        self._literals: dict[str, Any] = {as_port(key): value for key, value in (params or {}).items()}
        super().__init__(name or found.module_id, [], [])
        known = found._ports
        for port, value in (inputs_map or {}).items():
            _check(port, known["inputs"], "input")
            if isinstance(value, PipelineParameter) and not value._is_data:
                self._literals[as_port(port)] = value
                continue
            given = input_of(value)
            self._take(value, Given(as_port(port), given.type, given.source, given.mode, given.table))
        for port, value in (outputs_map or {}).items():
            _check(port, known["outputs"], "output")
            output, made = output_of(value)
            made._producer = self
            self._outputs[as_port(port)] = Output(
                as_port(port), output.type, output.pipeline_output, output.registered_as
            )
            self._made[as_port(port)] = made

    def _node(self, sheet: Sheet) -> dict[str, Any]:
        words = Words(self, sheet)
        bindings = dict(words.bindings)
        for name, value in self._literals.items():
            bindings[name] = sheet.value(value)
        fills = sheet.fills(self._outputs.values())
        return {
            "component": f"azureml:{self._module_version.module_version_id}",
            **({"inputs": bindings} if bindings else {}),
            **({"outputs": fills} if fills else {}),
            **how(self._runconfig, self._compute_target),
        }


def _check(port: str, known: Sequence[str], what: str) -> None:
    if known and as_port(port) not in known:
        raise UserErrorException(
            f"the module has no {what} `{port}`", code="bad_port", hint=f"it has {', '.join(known)}"
        )
