"""`azureml.train.automl`: known, so that its import is not what fails."""

from __future__ import annotations

from typing import Any

from tidemill.azureml.exceptions import not_supported

__all__ = ["AutoMLConfig"]


class AutoMLConfig:
    """Not here: a search over models and features is no part of tidemill."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise not_supported(
            "AutoMLConfig",
            "a search over models is no part of tidemill",
            "a PythonScriptStep that runs an AutoML library, or a HyperDriveStep over your own script",
        )
