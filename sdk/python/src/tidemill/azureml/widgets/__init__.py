"""Runs as notebooks show them: `azureml.widgets`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._show import display_for

if TYPE_CHECKING:
    from tidemill.azureml.core.run import Run

__all__ = ["RunDetails"]


class RunDetails:
    """A run as a notebook shows it: a table and a drawing of its graph."""

    def __init__(self, run_instance: Run) -> None:
        self._run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Shows how the run stands now; `wait_for_completion(show_output=True)` goes on showing."""
        import sys

        display = display_for(self._run._run.refresh(), True, sys.stdout)
        display.close()

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """The same as a mapping."""
        return self._run.get_details()

    def _repr_html_(self) -> str:
        return self._run._repr_html_()
