"""What things of the API have in common: each holds the API's last answer about it, and its properties read from that. Looking again is theirs to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._events import moment
from tidemill._http import part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tidemill._http import Http

__all__ = ["NamedView", "ProgressView", "View"]


class View:
    """Something as the API answered it."""

    def __init__(self, http: Http, view: Mapping[str, Any]) -> None:
        self._http = http
        self._view = dict(view)

    @property
    def view(self) -> dict[str, Any]:
        """All that the API says of it."""
        return dict(self._view)


class ProgressView(View):
    """Something that begins and ends: a run or a step."""

    @property
    def status(self) -> str:
        """How it stands."""
        return str(self._view["status"])

    @property
    def display_name(self) -> str:
        """What people call it."""
        return str(self._view["display_name"])

    @property
    def started_at(self) -> datetime | None:
        """When it began: a step with its first attempt, a run with its first step."""
        return moment(self._view.get("started_at"))

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return moment(self._view.get("finished_at"))


class NamedView(View):
    """Something of the catalog: an asset, or a version of one."""

    @property
    def kind(self) -> str:
        """data, model, component, environment or pipeline."""
        return str(self._view["kind"])

    @property
    def name(self) -> str:
        """The asset's name."""
        return str(self._view["name"])

    @property
    def description(self) -> str:
        """Free text."""
        return str(self._view.get("description", ""))

    @property
    def _asset_path(self) -> str:
        return f"/api/v1/assets/{self.kind}/{part(self.name)}"
