"""Projects and teams: who works together, in which role, and how much of the machines they may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._http import part
from tidemill._remarks import user

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidemill._http import Http

__all__ = ["Projects"]

PROJECTS = "/api/v1/projects"
TEAMS = "/api/v1/teams"

Rows = list[dict[str, Any]]


class Projects:
    """The projects of a coordinator. To change one needs an admin's token."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(self, *, sort: str | None = None) -> Rows:
        """All of them with roles, quota and what they have, `default` first; or by the field `sort`, with `-` before it the other way round."""
        found: Rows = self._http.json("GET", PROJECTS, query={"sort": sort})
        return found

    def get(self, name: str) -> dict[str, Any]:
        """One project."""
        found: dict[str, Any] = self._http.json("GET", f"{PROJECTS}/{part(name)}")
        return found

    __getitem__ = get

    def create(self, name: str, description: str = "") -> dict[str, Any]:
        """Makes a project, or describes it otherwise."""
        return self._put(f"{PROJECTS}/{part(name)}", {"description": description})

    def set_role(
        self, name: str, role: str | None, *, person: str | None = None, team: str | None = None
    ) -> dict[str, Any]:
        """Gives a person or a team the role reader, submitter or operator in a project; None takes it away."""
        body = {"person": person, "team": team, "role": role}
        return self._put(
            f"{PROJECTS}/{part(name)}/role", {key: value for key, value in body.items() if value is not None}
        )

    def set_quota(
        self,
        name: str,
        *,
        running_steps: int | None = None,
        targets: Mapping[str, int] | None = None,
        queued_runs: int | None = None,
    ) -> dict[str, Any]:
        """Bounds what a project may have at once. What is left out is not bounded."""
        body = {"running_steps": running_steps, "targets": dict(targets or {}), "queued_runs": queued_runs}
        return self._put(
            f"{PROJECTS}/{part(name)}/quota", {key: value for key, value in body.items() if value is not None}
        )

    def delete(self, name: str) -> None:
        """Removes a project with its roles and its quota; its runs stay."""
        self._http.json("DELETE", f"{PROJECTS}/{part(name)}", query={"by": user()})

    def teams(self, *, sort: str | None = None) -> Rows:
        """All teams with their people, by name or by the field `sort`, with `-` before it the other way round."""
        found: Rows = self._http.json("GET", TEAMS, query={"sort": sort})
        return found

    def set_team(self, name: str, people: Iterable[str]) -> dict[str, Any]:
        """Makes a team, or gives it other people, by the subjects of their tokens."""
        return self._put(f"{TEAMS}/{part(name)}", {"people": sorted(set(people))})

    def delete_team(self, name: str) -> None:
        """Removes a team and its roles."""
        self._http.json("DELETE", f"{TEAMS}/{part(name)}", query={"by": user()})

    def _put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._http.json("PUT", path, query={"by": user()}, body=body)
        return found
