"""The kinds of steps: `azureml.pipeline.steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.azureml._lazy import lookup

if TYPE_CHECKING:
    from tidemill.azureml.pipeline.steps.command_step import CommandStep
    from tidemill.azureml.pipeline.steps.data_transfer_step import DataTransferStep
    from tidemill.azureml.pipeline.steps.hyper_drive_step import HyperDriveStep, HyperDriveStepRun
    from tidemill.azureml.pipeline.steps.module_step import ModuleStep
    from tidemill.azureml.pipeline.steps.other_steps import (
        AdlaStep,
        AutoMLStep,
        AutoMLStepRun,
        AzureBatchStep,
        DatabricksStep,
        KustoStep,
        SynapseSparkStep,
        _HDInsightStep,
    )
    from tidemill.azureml.pipeline.steps.parallel_run_step import ParallelRunConfig, ParallelRunStep
    from tidemill.azureml.pipeline.steps.python_script_step import EstimatorStep, MpiStep, PythonScriptStep, RScriptStep

__all__ = [
    "AdlaStep",
    "AutoMLStep",
    "AutoMLStepRun",
    "AzureBatchStep",
    "CommandStep",
    "DataTransferStep",
    "DatabricksStep",
    "EstimatorStep",
    "HyperDriveStep",
    "HyperDriveStepRun",
    "KustoStep",
    "ModuleStep",
    "MpiStep",
    "ParallelRunConfig",
    "ParallelRunStep",
    "PythonScriptStep",
    "RScriptStep",
    "SynapseSparkStep",
    "_HDInsightStep",
]

_WHERE = {
    "AdlaStep": "other_steps",
    "AutoMLStep": "other_steps",
    "AutoMLStepRun": "other_steps",
    "AzureBatchStep": "other_steps",
    "CommandStep": "command_step",
    "DataTransferStep": "data_transfer_step",
    "DatabricksStep": "other_steps",
    "EstimatorStep": "python_script_step",
    "HyperDriveStep": "hyper_drive_step",
    "HyperDriveStepRun": "hyper_drive_step",
    "KustoStep": "other_steps",
    "ModuleStep": "module_step",
    "MpiStep": "python_script_step",
    "ParallelRunConfig": "parallel_run_step",
    "ParallelRunStep": "parallel_run_step",
    "PythonScriptStep": "python_script_step",
    "RScriptStep": "python_script_step",
    "SynapseSparkStep": "other_steps",
    "_HDInsightStep": "other_steps",
}

__getattr__ = lookup(__name__, _WHERE, globals())
