"""Steps that run a command line; a script is one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._sheet import STEP_FOLDER, Words
from tidemill.azureml.core.runconfig import RunConfiguration, how
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse
from tidemill.azureml.pipeline.core.builder import PipelineStep
from tidemill.azureml.pipeline.core.graph import PipelineParameter

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet

__all__ = ["CommandStep", "ProcessStep"]

PYTHON = "python3"
TABLES_VARIABLE = "AZUREML_STEP_TABLES"


class ProcessStep(PipelineStep):
    """A step that runs a process."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[Any] | None,
        compute_target: Any,
        runconfig: RunConfiguration | None,
        inputs: Sequence[Any] | None,
        outputs: Sequence[Any] | None,
        params: Mapping[str, Any] | None,
        source_directory: str | None,
        allow_reuse: bool,
        version: str | None,
    ) -> None:
        if isinstance(compute_target, tuple):
            raise not_supported("a pair as compute_target", "a target is a name", "give its name")
        self._runconfig = runconfig
        self._compute_target = compute_target
        self._params = dict(params or {})
        self._source_directory = source_directory
        self._allow_reuse = allow_reuse
        # Part of what the step is, as there: another version runs it again.
        self._version = version
        super().__init__(name, inputs, outputs, arguments)

    def _command(self, words: Words) -> str:
        raise NotImplementedError

    def _needed(self) -> str | None:
        """The file that its folder must have."""
        return None

    def _code(self, sheet: Sheet) -> str:
        return sheet.code(self._source_directory, self._needed(), shim=True)

    def _node(self, sheet: Sheet) -> dict[str, Any]:
        words = Words(self, sheet)
        command = self._command(words)
        variables = self._variables(words)
        component: dict[str, Any] = {"type": "command"}
        if words.inputs:
            component["inputs"] = words.inputs
        if self._outputs:
            component["outputs"] = {name: {"type": output.type} for name, output in self._outputs.items()}
        component["code"] = self._code(sheet)
        component["command"] = command
        component["environment_variables"] = variables
        if not self._allow_reuse:
            component["is_deterministic"] = False
        fills = sheet.fills(self._outputs.values())
        return {
            "component": component,
            **({"inputs": words.bindings} if words.bindings else {}),
            **({"outputs": fills} if fills else {}),
            **how(self._runconfig, self._compute_target),
        }

    def _variables(self, words: Words) -> dict[str, str]:
        found = {str(key): str(value) for key, value in (self._own_variables()).items()}
        beside = found.get("PYTHONPATH")
        found["PYTHONPATH"] = f"{STEP_FOLDER}:{beside}" if beside else STEP_FOLDER
        for name, value in self._params.items():
            is_parameter = isinstance(value, PipelineParameter)
            found[f"AML_PARAMETER_{as_port(name)}"] = words.parameter(value) if is_parameter else str(value)
        tables = {given.name: dict(given.table) for given in self._given.values() if given.table}
        if tables:
            found[TABLES_VARIABLE] = json.dumps(tables, sort_keys=True)
        if self._version is not None:
            found["AZUREML_STEP_VERSION"] = self._version
        return found

    def _own_variables(self) -> Mapping[str, str]:
        return self._runconfig.environment_variables if self._runconfig is not None else {}


class CommandStep(ProcessStep):
    """A step that runs a command line."""

    def __init__(
        self,
        command: str | Sequence[Any] | None = None,
        name: str | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        from tidemill.azureml.core.script_run_config import ScriptRunConfig

        refuse_parameters("CommandStep", runconfig_pipeline_params)
        if isinstance(runconfig, ScriptRunConfig):
            command = command or runconfig.command
            source_directory = source_directory or runconfig.source_directory
            runconfig = runconfig.run_config
        command = command or getattr(runconfig, "command", None)
        if not command:
            raise UserErrorException("a CommandStep has a command", code="bad_command")
        parts = [command] if isinstance(command, str) else list(command)
        first = str(parts[0]).split()[0] if str(parts[0]).split() else "command"
        self._parts = parts
        super().__init__(
            name or first,
            [part for part in parts if not isinstance(part, str)],
            compute_target,
            runconfig,
            inputs,
            outputs,
            params,
            source_directory,
            allow_reuse,
            version,
        )

    def _command(self, words: Words) -> str:
        return " ".join(words.raw(part) if isinstance(part, str) else words.word(part) for part in self._parts)


def refuse_parameters(where: str, parameters: Mapping[str, Any] | None) -> None:
    """Parameters that would change the run configuration."""
    refuse(
        where,
        "how a step runs is fixed when the pipeline is submitted",
        "make it an argument of the script, or set it in the RunConfiguration",
        runconfig_pipeline_params=parameters,
    )
