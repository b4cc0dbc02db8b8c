"""`azureml.contrib.automl`."""

from tidemill.azureml.contrib.automl.pipeline.steps import AutoMLPipelineBuilder

__all__ = ["AutoMLPipelineBuilder"]
