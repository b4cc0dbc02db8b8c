"""Pipelines: `azureml.pipeline.core`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidemill.azureml._lazy import lookup

if TYPE_CHECKING:
    from tidemill.azureml.pipeline.core.builder import PipelineData, PipelineStep, StepSequence
    from tidemill.azureml.pipeline.core.graph import (
        InputPortBinding,
        InputPortDef,
        OutputPortBinding,
        OutputPortDef,
        PipelineDataset,
        PipelineParameter,
        PortDataReference,
        TrainingOutput,
    )
    from tidemill.azureml.pipeline.core.module import Module, ModuleVersion, ModuleVersionDescriptor
    from tidemill.azureml.pipeline.core.pipeline import Pipeline
    from tidemill.azureml.pipeline.core.pipeline_draft import PipelineDraft
    from tidemill.azureml.pipeline.core.pipeline_endpoint import PipelineEndpoint
    from tidemill.azureml.pipeline.core.published import PublishedPipeline
    from tidemill.azureml.pipeline.core.run import PipelineRun, StepRun, StepRunOutput
    from tidemill.azureml.pipeline.core.schedule import Schedule, ScheduleRecurrence, TimeZone

__all__ = [
    "InputPortBinding",
    "InputPortDef",
    "Module",
    "ModuleVersion",
    "ModuleVersionDescriptor",
    "OutputPortBinding",
    "OutputPortDef",
    "Pipeline",
    "PipelineData",
    "PipelineDataset",
    "PipelineDraft",
    "PipelineEndpoint",
    "PipelineParameter",
    "PipelineRun",
    "PipelineStep",
    "PortDataReference",
    "PublishedPipeline",
    "Schedule",
    "ScheduleRecurrence",
    "StepRun",
    "StepRunOutput",
    "StepSequence",
    "TimeZone",
    "TrainingOutput",
]

_WHERE = {
    "InputPortBinding": "graph",
    "InputPortDef": "graph",
    "Module": "module",
    "ModuleVersion": "module",
    "ModuleVersionDescriptor": "module",
    "OutputPortBinding": "graph",
    "OutputPortDef": "graph",
    "Pipeline": "pipeline",
    "PipelineData": "builder",
    "PipelineDataset": "graph",
    "PipelineDraft": "pipeline_draft",
    "PipelineEndpoint": "pipeline_endpoint",
    "PipelineParameter": "graph",
    "PipelineRun": "run",
    "PipelineStep": "builder",
    "PortDataReference": "graph",
    "PublishedPipeline": "published",
    "Schedule": "schedule",
    "ScheduleRecurrence": "schedule",
    "StepRun": "run",
    "StepRunOutput": "run",
    "StepSequence": "builder",
    "TimeZone": "schedule",
    "TrainingOutput": "graph",
}

__getattr__ = lookup(__name__, _WHERE, globals())
