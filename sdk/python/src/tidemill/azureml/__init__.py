"""azureml's names on top of tidemill: the classes of the first SDK, so that its notebooks run after a change of their imports, or after `install()` without one.

What each class does is in the module in which azureml has it. What tidemill does not do raises `NotSupportedError` with the reason and the nearest thing that it does.
"""

from __future__ import annotations

from tidemill.azureml._install import install, install_as_said, uninstall
from tidemill.azureml.exceptions import NotSupportedError

__all__ = ["NotSupportedError", "install", "uninstall"]

install_as_said()
