"""Runs as notebooks show them: `azureml.widgets`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._show import show_on

if TYPE_CHECKING:
    from tidemill.azureml.core.run import Run

__all__ = ["RunDetails"]


class RunDetails:
    """A run as a notebook shows it: a table and a drawing of its graph."""

    def __init__(self, run_instance: Run) -> None:
        self._run = run_instance

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """Shows the run, in a notebook until it has ended; the cells after it need not wait for that. On a terminal it says how the run stands now."""
        import sys

        show_on(self._run._run, sys.stdout)

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """The same as a mapping."""
        return self._run.get_details()

    def _repr_html_(self) -> str:
        return self._run._repr_html_()
