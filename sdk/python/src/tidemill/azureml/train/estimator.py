"""Estimators: scripts with the software around them, in one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.azureml.core.conda_dependencies import CondaDependencies
from tidemill.azureml.core.runconfig import RunConfiguration
from tidemill.azureml.core.script_run_config import ScriptRunConfig, distribute
from tidemill.azureml.exceptions import refuse

__all__ = ["Estimator"]


class Estimator:
    """A script with the software around it."""

    def __init__(
        self,
        source_directory: str,
        *,
        compute_target: Any = None,
        entry_script: str | None = None,
        script_params: Mapping[str, Any] | None = None,
        node_count: int = 1,
        distributed_training: Any = None,
        use_gpu: bool = False,
        custom_docker_image: str | None = None,
        environment_variables: Mapping[str, str] | None = None,
        environment_definition: Any = None,
        conda_packages: Sequence[str] | None = None,
        pip_packages: Sequence[str] | None = None,
        inputs: Sequence[Any] | None = None,
        max_run_duration_seconds: int | None = None,
    ) -> None:
        refuse("Estimator", "inputs are named as arguments", "script_params={'--data': dataset}", inputs=inputs)
        config = RunConfiguration(
            conda_dependencies=CondaDependencies.create(pip_packages=pip_packages, conda_packages=conda_packages)
        )
        if environment_definition is not None:
            config.environment = environment_definition
        if custom_docker_image is not None:
            config.environment.docker.base_image = custom_docker_image
        config.environment_variables.update(environment_variables or {})
        config.node_count = node_count
        if distributed_training is not None:
            distributed_training.node_count = node_count
            distribute(config, distributed_training)
        arguments = [word for pair in (script_params or {}).items() for word in pair if word != ""]
        self._config = ScriptRunConfig(
            source_directory,
            entry_script,
            arguments,
            config,
            compute_target,
            max_run_duration_seconds=max_run_duration_seconds,
        )
        self.source_directory = source_directory
        self.run_config = config

    def _step(self, name: str) -> Any:
        return self._config._step(name)
