"""`azureml.contrib.notebook`: known, so that its import is not what fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.azureml.exceptions import NotSupportedError, not_supported
from tidemill.azureml.pipeline.core.builder import PipelineStep

__all__ = ["AzureMLNotebookHandler", "NotebookRunConfig", "NotebookRunnerStep"]


def _refusal(what: str) -> NotSupportedError:
    return not_supported(
        what,
        "a step runs a script, and no notebook",
        "a CommandStep with `papermill NOTEBOOK OUTPUT -p NAME VALUE` (or a PythonScriptStep that calls nbclient), "
        "papermill and ipykernel in its environment, and a PipelineData for the executed copy",
    )


class NotebookRunConfig:
    """Not here: a step runs a script, and no notebook."""

    def __init__(
        self,
        source_directory: str,
        notebook: str,
        output_notebook: str | None = None,
        parameters: Any = None,
        handler: Any = None,
        run_config: Any = None,
    ) -> None:
        raise _refusal("NotebookRunConfig")


class AzureMLNotebookHandler:
    """Not here: a step runs a script, and no notebook."""

    def __init__(self, history: bool = True, timeout: int = 600, progress_bar: bool = True, **kwargs: Any) -> None:
        raise _refusal("AzureMLNotebookHandler")


class NotebookRunnerStep(PipelineStep):
    """Not here: a step runs a script, and no notebook."""

    def __init__(
        self,
        name: str | None = None,
        notebook_run_config: Any = None,
        runconfig_pipeline_params: Any = None,
        compute_target: Any = None,
        params: Any = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        output_notebook_pipeline_data_name: str | None = None,
    ) -> None:
        raise _refusal("NotebookRunnerStep")
