"""Steps that run a Python script, and those that run one on several machines."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.azureml._sheet import Words
from tidemill.azureml.core.runconfig import MpiConfiguration, RunConfiguration
from tidemill.azureml.core.script_run_config import ScriptRunConfig, distribute
from tidemill.azureml.exceptions import UserErrorException, refuse
from tidemill.azureml.pipeline.steps.command_step import PYTHON, ProcessStep, refuse_parameters

__all__ = ["EstimatorStep", "MpiStep", "PythonScriptStep", "RScriptStep"]


class PythonScriptStep(ProcessStep):
    """A step that runs a Python script."""

    _interpreter = PYTHON

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: RunConfiguration | None = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
    ) -> None:
        refuse_parameters(type(self).__name__, runconfig_pipeline_params)
        if hash_paths:
            warnings.warn("`hash_paths` is ignored: all files of the folder count", stacklevel=2)
        if not script_name:
            raise UserErrorException("the step has a script", code="bad_script")
        self._script = script_name
        super().__init__(
            name or script_name,
            arguments,
            compute_target,
            runconfig,
            inputs,
            outputs,
            params,
            source_directory,
            allow_reuse,
            version,
        )

    def _needed(self) -> str:
        return self._script

    def _command(self, words: Words) -> str:
        return words.line([self._interpreter, self._script, *self._arguments])


class MpiStep(PythonScriptStep):
    """A step that runs a Python script on several machines, started by MPI."""

    def __init__(
        self,
        name: str | None = None,
        source_directory: str | None = None,
        script_name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        node_count: int | None = None,
        process_count_per_node: int | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Sequence[str] | None = None,
        environment_definition: Any = None,
    ) -> None:
        config = RunConfiguration()
        distribute(config, MpiConfiguration(process_count_per_node or 1, node_count or 1))
        if environment_definition is not None:
            config.environment = environment_definition
        super().__init__(
            script_name or "",
            name,
            arguments,
            compute_target,
            config,
            None,
            inputs,
            outputs,
            None,
            source_directory,
            allow_reuse,
            version,
            hash_paths,
        )


class EstimatorStep(PythonScriptStep):
    """A step that runs what an estimator describes: a ScriptRunConfig."""

    def __init__(
        self,
        name: str | None = None,
        estimator: Any = None,
        estimator_entry_script_arguments: Sequence[Any] | None = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        compute_target: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        config = script_of(estimator, "EstimatorStep")
        super().__init__(
            config.script or "",
            name,
            estimator_entry_script_arguments if estimator_entry_script_arguments is not None else config.arguments,
            compute_target,
            config.run_config,
            runconfig_pipeline_params,
            inputs,
            outputs,
            None,
            config.source_directory,
            allow_reuse,
            version,
        )


class RScriptStep(PythonScriptStep):
    """A step that runs an R script with the worker's R."""

    _interpreter = "Rscript"

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: RunConfiguration | None = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        use_gpu: bool = False,
        custom_docker_image: str | None = None,
        cran_packages: Sequence[Any] | None = None,
        github_packages: Sequence[Any] | None = None,
        custom_url_packages: Sequence[Any] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        refuse(
            "RScriptStep",
            "packages of R are not installed",
            "install them on the workers of a compute target of their own, and name that",
            custom_docker_image=custom_docker_image,
            cran_packages=cran_packages,
            github_packages=github_packages,
            custom_url_packages=custom_url_packages,
        )
        super().__init__(
            script_name,
            name,
            arguments,
            compute_target,
            runconfig,
            runconfig_pipeline_params,
            inputs,
            outputs,
            params,
            source_directory,
            allow_reuse,
            version,
        )


def script_of(estimator: Any, where: str) -> ScriptRunConfig:
    """The script that an estimator or a ScriptRunConfig describes."""
    config = getattr(estimator, "_config", estimator)
    if not isinstance(config, ScriptRunConfig) or config.script is None:
        raise UserErrorException(f"{where} takes a ScriptRunConfig with a script", code="bad_script")
    return config
