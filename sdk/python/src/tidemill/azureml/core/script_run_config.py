"""A script, to run by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.azureml.core.runconfig import RunConfiguration
from tidemill.azureml.exceptions import UserErrorException, refuse

__all__ = ["ScriptRunConfig"]


class ScriptRunConfig:
    """A script with its arguments, where it runs and in which software."""

    def __init__(
        self,
        source_directory: str,
        script: str | None = None,
        arguments: Sequence[Any] | None = None,
        run_config: RunConfiguration | None = None,
        compute_target: Any = None,
        environment: Any = None,
        distributed_job_config: Any = None,
        resume_from: Any = None,
        max_run_duration_seconds: int | None = None,
        command: Any = None,
        docker_runtime_config: Any = None,
    ) -> None:
        refuse(
            "ScriptRunConfig",
            "a run does not go on from another",
            "use a step with `checkpoint`, or give the other's output as an input",
            resume_from=resume_from,
        )
        if (script is None) == (command is None):
            raise UserErrorException("give a script or a command", code="bad_script")
        self.source_directory = source_directory
        self.script = script
        self.command = command
        self.arguments = list(arguments or [])
        self.run_config = run_config or RunConfiguration()
        if compute_target is not None:
            self.run_config.target = compute_target
        if environment is not None:
            self.run_config.environment = environment
        if max_run_duration_seconds is not None:
            self.run_config.max_run_duration_seconds = max_run_duration_seconds
        if docker_runtime_config is not None:
            self.run_config.docker = docker_runtime_config
        if distributed_job_config is not None:
            distribute(self.run_config, distributed_job_config)

    def _step(self, name: str) -> Any:
        from tidemill.azureml.pipeline.steps import CommandStep, PythonScriptStep

        if self.command is not None:
            return CommandStep(self.command, name, runconfig=self.run_config, source_directory=self.source_directory)
        assert self.script is not None
        inputs = [value for value in self.arguments if hasattr(value, "_as_given") and not hasattr(value, "_as_output")]
        return PythonScriptStep(
            self.script,
            name,
            self.arguments,
            runconfig=self.run_config,
            inputs=inputs,
            source_directory=self.source_directory,
        )


def distribute(config: RunConfiguration, distributed: Any) -> None:
    """Says in a run configuration how processes are spread."""
    from tidemill.azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration, TensorflowConfiguration

    config.node_count = distributed.node_count
    if isinstance(distributed, MpiConfiguration):
        config.communicator, config.mpi = "Mpi", distributed
    elif isinstance(distributed, PyTorchConfiguration):
        config.communicator, config.pytorch = distributed.communication_backend, distributed
    elif isinstance(distributed, TensorflowConfiguration):
        config.communicator, config.tensorflow = "ParameterServer", distributed
    else:
        raise UserErrorException(f"{distributed!r} says no way to spread processes", code="bad_distribution")
