"""`azureml.contrib.automl.pipeline.steps`: known, so that its import is not what fails."""

from __future__ import annotations

from tidemill.azureml.exceptions import refused

__all__ = ["AutoMLPipelineBuilder"]


class AutoMLPipelineBuilder:
    """Not here: a search over models is no part of tidemill, and neither is one for each partition of the data."""

    get_many_models_train_steps = refused(
        "AutoMLPipelineBuilder",
        "a search over models is no part of tidemill, and neither is one for each partition of the data",
        "one PythonScriptStep for each partition, drawn in a loop, whose script trains with a library of your choice",
    )
    get_many_models_batch_inference_steps = get_many_models_train_steps
