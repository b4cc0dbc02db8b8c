"""The names and parameters of azureml, against a table of them."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

TABLE: dict[str, dict[str, list[str] | None]] = json.loads(
    (Path(__file__).parent.parent / "golden/azureml_names.json").read_text()
)
# What stands in for a class in a step has the same names. Models are not made there, but registered.
INSIDE = {"azureml.core.Run": "azureml._step.core.run.Run", "azureml.core.Model": "azureml._step.core.model.Model"}
METHODS = [
    *((name, name, method) for name, methods in TABLE.items() for method in methods),
    *((INSIDE[name], name, method) for name in INSIDE for method in TABLE[name] if method != "__init__"),
]
# Where notebooks import from, beside the packages of the table.
PATHS = {
    "azureml.core.compute": ["AmlCompute", "ComputeTarget", "DataFactoryCompute", "DatabricksCompute", "RemoteCompute"],
    "azureml.core.compute_target": ["ComputeTargetException"],
    "azureml.core.datastore": ["Datastore"],
    "azureml.core.dataset": ["Dataset"],
    "azureml.core.environment": ["Environment"],
    "azureml.core.experiment": ["Experiment"],
    "azureml.core.model": ["Model"],
    "azureml.core.run": ["Run", "_OfflineRun"],
    "azureml.contrib.automl": ["AutoMLPipelineBuilder"],
    "azureml.contrib.automl.pipeline.steps": ["AutoMLPipelineBuilder"],
    "azureml.contrib.notebook": ["AzureMLNotebookHandler", "NotebookRunConfig", "NotebookRunnerStep"],
    "azureml.contrib.pipeline.steps": ["ParallelRunConfig", "ParallelRunStep"],
    "azureml.core.databricks": ["EggLibrary", "JarLibrary", "MavenLibrary", "PyPiLibrary", "RCranLibrary"],
    "azureml.data.azure_storage_datastore": ["AzureBlobDatastore", "AzureFileDatastore"],
    "azureml.train.automl": ["AutoMLConfig"],
    "azureml.core.runconfig": ["CondaDependencies", "DEFAULT_CPU_IMAGE", "DEFAULT_GPU_IMAGE", "RunConfiguration"],
    "azureml.core.script_run_config": ["ScriptRunConfig"],
    "azureml.core.workspace": ["Workspace"],
    "azureml.data": ["DataReference", "OutputFileDatasetConfig", "FileDataset", "TabularDataset"],
    "azureml.exceptions": ["ComputeTargetException", "UserErrorException", "ActivityFailedException"],
    "azureml.pipeline.core.graph": ["PipelineParameter", "InputPortDef", "OutputPortDef", "PublishedPipeline"],
    "azureml.pipeline.core.run": ["PipelineRun", "StepRun"],
    "azureml.pipeline.core.schedule": ["Schedule", "ScheduleRecurrence", "TimeZone"],
    "azureml.pipeline.core.pipeline_output_dataset": ["PipelineOutputFileDataset"],
    "azureml.pipeline.steps": ["AutoMLStepRun", "HyperDriveStepRun", "_HDInsightStep"],
    "azureml.train.estimator": ["Estimator"],
    "azureml.train.hyperdrive": [
        "PrimaryMetricGoal",
        "choice",
        "uniform",
        "loguniform",
        "randint",
        "quniform",
        "normal",
    ],
    "azureml.widgets": ["RunDetails"],
}
# What is promised: the classes of azureml's pipelines, of its steps, and those that the same notebooks need.
PROMISED = [
    "Pipeline",
    "PipelineData",
    "PipelineParameter",
    "PublishedPipeline",
    "PipelineEndpoint",
    "PipelineRun",
    "StepRun",
    "StepRunOutput",
    "PortDataReference",
    "Schedule",
    "ScheduleRecurrence",
    "TimeZone",
    "TrainingOutput",
    "PipelineDraft",
    "Module",
    "ModuleVersion",
    "ModuleVersionDescriptor",
    "InputPortDef",
    "OutputPortDef",
    "StepSequence",
    "InputPortBinding",
    "OutputPortBinding",
    "PipelineDataset",
    "PipelineStep",
    "PythonScriptStep",
    "ParallelRunStep",
    "ParallelRunConfig",
    "AutoMLStep",
    "AutoMLStepRun",
    "HyperDriveStep",
    "HyperDriveStepRun",
    "ModuleStep",
    "DataTransferStep",
    "DatabricksStep",
    "AdlaStep",
    "AzureBatchStep",
    "KustoStep",
    "SynapseSparkStep",
    "_HDInsightStep",
    "CommandStep",
    "EstimatorStep",
    "MpiStep",
    "RScriptStep",
    "NotebookRunnerStep",
    "AutoMLPipelineBuilder",
    "Workspace",
    "Experiment",
    "ComputeTarget",
    "AmlCompute",
    "RunConfiguration",
    "RunDetails",
    "InteractiveLoginAuthentication",
    "Model",
    "ScriptRunConfig",
    "Datastore",
    "Dataset",
    "CondaDependencies",
    "Environment",
    "DataReference",
    "OutputFileDatasetConfig",
    "DataPath",
    "DataPathComputeBinding",
    "DatasetConsumptionConfig",
    "HyperDriveConfig",
    "RandomParameterSampling",
    "BanditPolicy",
    "Run",
]


def ours(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"tidemill.{module}"), attribute)


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_is_in_the_table(name: str) -> None:
    assert name in {entry.rpartition(".")[2] for entry in TABLE}


@pytest.mark.parametrize(
    "name",
    [
        "azureml.contrib.notebook.NotebookRunConfig",
        "azureml.contrib.notebook.NotebookRunnerStep",
        "azureml.pipeline.steps.AutoMLStep",
        "azureml.pipeline.steps.AutoMLStepRun",
        "azureml.pipeline.steps.AzureBatchStep",
        "azureml.pipeline.steps.DatabricksStep",
        "azureml.pipeline.steps.KustoStep",
        "azureml.pipeline.steps._HDInsightStep",
    ],
)
def test_a_class_that_is_not_done_takes_its_parameters_and_says_what_works(name: str) -> None:
    from tidemill.azureml import NotSupportedError

    given = dict.fromkeys((each for each in TABLE[name]["__init__"] or [] if each != "**"), "x")
    with pytest.raises(NotSupportedError, match="is not supported: ") as raised:
        ours(name)(**given)
    assert raised.value.hint


@pytest.mark.parametrize("module", PATHS)
def test_names_are_where_notebooks_import_them_from(module: str) -> None:
    for name in PATHS[module]:
        assert ours(f"{module}.{name}") is not None


@pytest.mark.parametrize(("name", "table", "method"), METHODS, ids=[f"{each[0]}.{each[2]}" for each in METHODS])
def test_parameters_are_those_of_azureml_in_their_order(name: str, table: str, method: str) -> None:
    theirs = TABLE[table][method]
    static = inspect.getattr_static(ours(name), method)
    if theirs is None:
        assert not inspect.isfunction(static), "a value, not a method"
        return
    parameters = inspect.signature(getattr(ours(name), method)).parameters.values()
    if {p.kind for p in parameters} == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        assert refuses(name, method)
        return
    named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    named = [name for name in named if name != "self" and not name.startswith("_")]
    open_ended = theirs[-1:] == ["**"]
    wanted = theirs[:-1] if open_ended else theirs
    # What azureml takes as `**kwargs` may have a name here.
    assert (named[: len(wanted)] if open_ended else named) == wanted


def refuses(name: str, method: str) -> bool:
    from tidemill.azureml import NotSupportedError

    with pytest.raises(NotSupportedError) as raised:
        getattr(ours(name), method)()
    return bool(raised.value.hint)


def test_packages_have_the_names_that_they_list() -> None:
    for package in ("core", "data", "pipeline.core", "pipeline.steps", "train.hyperdrive", "widgets"):
        module = importlib.import_module(f"tidemill.azureml.{package}")
        for name in module.__all__:
            assert getattr(module, name) is not None
        assert not hasattr(module, "Nothing")


def test_a_keyword_that_azureml_does_not_have_is_an_error() -> None:
    from tidemill.azureml.pipeline.steps import PythonScriptStep

    with pytest.raises(TypeError, match="hash_path"):
        PythonScriptStep("train.py", hash_path=["."])  # type: ignore[call-arg]
