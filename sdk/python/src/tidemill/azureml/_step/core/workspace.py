"""Workspace and experiment as a step sees them: names."""

import os
from typing import Any

from .refusals import refused

__all__ = ["Experiment", "Workspace"]


class Workspace:
    """The coordinator, by name only: a step has no right to look around in it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.name = "tidemill"
        self.subscription_id = ""
        self.resource_group = ""

    @staticmethod
    def from_config(*_: Any, **__: Any) -> "Workspace":
        """The coordinator, by name only."""
        return Workspace()

    get = from_config

    def get_mlflow_tracking_uri(self) -> str:
        """Where MLflow's clients log to."""
        return os.environ.get("MLFLOW_TRACKING_URI", "")

    get_default_keyvault = refused(
        "a key vault",
        "a step is given its secrets when it starts, and cannot ask for others",
        "where the step is made `RunConfiguration().secrets['VARIABLE'] = NAME`, and here os.environ['VARIABLE']",
    )

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            "a workspace in a step has no `%s`: a step has its inputs, its outputs and what it logs" % name
        )


class Experiment:
    """The experiment, by name only."""

    def __init__(self, workspace: Any, name: str) -> None:
        self.workspace = workspace
        self.name = name

    def start_logging(self, *arguments: Any, **options: Any) -> Any:
        """A run below the step's own, to which this process logs by itself."""
        from .run import Run

        return Run.get_context().start_logging(*arguments, **options)
