"""Workspaces, runs and what they need: `azureml.core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.azureml._lazy import lookup

if TYPE_CHECKING:
    from tidemill.azureml.core.compute import AmlCompute, ComputeTarget
    from tidemill.azureml.core.dataset import Dataset
    from tidemill.azureml.core.datastore import Datastore
    from tidemill.azureml.core.environment import Environment
    from tidemill.azureml.core.experiment import Experiment
    from tidemill.azureml.core.model import Model
    from tidemill.azureml.core.run import Run, ScriptRun
    from tidemill.azureml.core.runconfig import RunConfiguration
    from tidemill.azureml.core.script_run_config import ScriptRunConfig
    from tidemill.azureml.core.workspace import Workspace

__all__ = [
    "VERSION",
    "AmlCompute",
    "ComputeTarget",
    "Dataset",
    "Datastore",
    "Environment",
    "Experiment",
    "Model",
    "Run",
    "RunConfiguration",
    "ScriptRun",
    "ScriptRunConfig",
    "Workspace",
]

_WHERE = {
    "AmlCompute": "compute",
    "ComputeTarget": "compute",
    "Dataset": "dataset",
    "Datastore": "datastore",
    "Environment": "environment",
    "Experiment": "experiment",
    "Model": "model",
    "Run": "run",
    "RunConfiguration": "runconfig",
    "ScriptRun": "run",
    "ScriptRunConfig": "script_run_config",
    "Workspace": "workspace",
}

# The version of azureml whose names these are.
VERSION = "1.62.0"

__getattr__ = lookup(__name__, _WHERE, globals())
