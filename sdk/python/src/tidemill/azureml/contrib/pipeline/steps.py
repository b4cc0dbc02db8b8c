"""`azureml.contrib.pipeline.steps`: where older notebooks have parallel steps from."""

from tidemill.azureml.pipeline.steps.parallel_run_step import ParallelRunConfig, ParallelRunStep

__all__ = ["ParallelRunConfig", "ParallelRunStep"]
