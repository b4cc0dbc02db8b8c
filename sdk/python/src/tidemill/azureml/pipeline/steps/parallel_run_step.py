"""Steps that run one function over many small batches."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.azureml._sheet import STEP_FOLDER, Words
from tidemill.azureml.exceptions import UserErrorException, not_supported
from tidemill.azureml.pipeline.core.graph import PipelineParameter
from tidemill.azureml.pipeline.steps.other_steps import OtherStep

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet

__all__ = ["ParallelRunConfig", "ParallelRunStep"]

_NAME = re.compile(r"[a-z][-a-z0-9]{2,31}")
_ACTIONS = ("append_row", "summary_only")


class ParallelRunConfig:
    """How batches are made and run."""

    def __init__(
        self,
        environment: Any,
        entry_script: str,
        error_threshold: int,
        output_action: str,
        compute_target: Any,
        node_count: Any,
        process_count_per_node: Any = None,
        mini_batch_size: Any = None,
        source_directory: str | None = None,
        description: str | None = None,
        logging_level: Any = "INFO",
        run_invocation_timeout: Any = 60,
        run_max_try: Any = 3,
        append_row_file_name: str | None = None,
        allowed_failed_count: Any = None,
        allowed_failed_percent: Any = None,
        partition_keys: Any = None,
        environment_variables: Mapping[str, str] | None = None,
    ) -> None:
        if output_action not in _ACTIONS:
            raise UserErrorException(f"`{output_action}` is neither of {', '.join(_ACTIONS)}", code="bad_action")
        if mini_batch_size is not None and partition_keys:
            raise UserErrorException("give mini_batch_size or partition_keys", code="bad_batches")
        self.environment = environment
        self.entry_script = entry_script
        self.error_threshold = error_threshold
        self.output_action = output_action
        self.compute_target = compute_target
        self.node_count = node_count
        self.process_count_per_node = process_count_per_node
        self.mini_batch_size = mini_batch_size
        self.source_directory = source_directory
        self.description = description
        self.logging_level = logging_level
        self.run_invocation_timeout = run_invocation_timeout
        self.run_max_try = run_max_try
        self.append_row_file_name = append_row_file_name or "parallel_run_step.txt"
        self.allowed_failed_count = allowed_failed_count
        self.allowed_failed_percent = allowed_failed_percent
        self.partition_keys = partition_keys
        self.environment_variables = dict(environment_variables or {})

    @staticmethod
    def load_yaml(workspace: Any, path: str) -> ParallelRunConfig:
        """Not here: azureml's files are not read."""
        raise not_supported("ParallelRunConfig.load_yaml", "its files are azureml's own", "write it in Python")

    def save_to_yaml(self, path: str) -> None:
        """Not here: azureml's files are not written."""
        raise not_supported("ParallelRunConfig.save_to_yaml", "its files are azureml's own", "write it in Python")


class ParallelRunStep(OtherStep):
    """A step that runs one function over many small batches of its inputs."""

    def __init__(
        self,
        name: str,
        parallel_run_config: ParallelRunConfig,
        inputs: Sequence[Any],
        output: Any = None,
        side_inputs: Sequence[Any] | None = None,
        arguments: Sequence[Any] | None = None,
        allow_reuse: bool = True,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise UserErrorException(
                f"`{name}` is no name of a ParallelRunStep",
                code="bad_name",
                hint="3 to 32 small letters, digits and `-`, a letter first",
            )
        if not inputs:
            raise UserErrorException("a ParallelRunStep has inputs", code="bad_input")
        if len(inputs) > 1:
            raise not_supported("several inputs of a ParallelRunStep", "batches are made of one", "one step for each")
        if output is None and parallel_run_config.output_action == "append_row":
            raise UserErrorException("append_row needs an output", code="bad_output")
        self._config = parallel_run_config
        self._compute_target = parallel_run_config.compute_target
        self._allow_reuse = allow_reuse
        super().__init__(name, [*inputs, *(side_inputs or [])], [output] if output is not None else [], arguments)

    def _settings(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        config, value = self._config, _fixed
        given = next(iter(self._given.values()))
        found: dict[str, Any] = {
            "type": "parallel",
            "task": self._task(words, sheet),
            "input_data": f"${{{{inputs.{given.name}}}}}",
            "logging_level": value(config.logging_level),
            "retry_settings": {
                "max_retries": _tries(value(config.run_max_try)),
                "timeout": value(config.run_invocation_timeout),
            },
            "error_threshold": value(config.error_threshold),
            "resources": {"instance_count": value(config.node_count)},
            "environment_variables": {**config.environment_variables, "PYTHONPATH": STEP_FOLDER},
        }
        if config.partition_keys:
            found["partition_keys"] = value(config.partition_keys)
        else:
            is_table = given.table is not None
            found["mini_batch_size"] = _size(value(config.mini_batch_size), is_table)
        if config.process_count_per_node is not None:
            found["max_concurrency_per_instance"] = value(config.process_count_per_node)
        if config.allowed_failed_count is not None:
            found["mini_batch_error_threshold"] = value(config.allowed_failed_count)
        return found

    def _task(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        config = self._config
        arguments = list(self._arguments)
        if config.allowed_failed_percent is not None:
            arguments += ["--allowed_failed_percent", config.allowed_failed_percent]
        if config.output_action == "append_row":
            arguments += ["--append_row_file_name", config.append_row_file_name]
        task: dict[str, Any] = {
            "type": "run_function",
            "code": sheet.code(config.source_directory, config.entry_script, shim=True),
            "entry_script": config.entry_script,
        }
        if arguments:
            task["program_arguments"] = words.line(arguments)
        environment = config.environment._rendered() if config.environment is not None else None
        if environment is not None:
            task["environment"] = environment
        if config.output_action == "append_row":
            (name,) = self._outputs
            task["append_row_to"] = f"${{{{outputs.{name}}}}}"
        return task


def _fixed(value: Any) -> Any:
    """A setting. How batches are run is fixed when a pipeline is submitted, so of a parameter its default counts; giving it another value is refused as unknown."""
    if isinstance(value, PipelineParameter):
        warnings.warn(
            f"`{value.name}` is a setting of a ParallelRunStep: its default, {value.default_value!r}, counts",
            stacklevel=2,
        )
        return value.default_value
    return value


def _tries(tries: Any) -> Any:
    """Tries as retries: one less."""
    return max(int(tries) - 1, 0)


def _size(size: Any, is_table: bool) -> Any:
    if size is None:
        return "1mb" if is_table else "10"
    return str(size)
