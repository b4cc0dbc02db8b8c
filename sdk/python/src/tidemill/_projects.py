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

    def etag(self, name: str) -> str:
        """The revision of a project with its roles and quota, for `if_match`: a change is refused when somebody else made one meanwhile."""
        return self._http.etag(f"{PROJECTS}/{part(name)}")

    def create(self, name: str, description: str = "", *, if_match: str | None = None) -> dict[str, Any]:
        """Makes a project, or describes it otherwise."""
        return self._put(f"{PROJECTS}/{part(name)}", {"description": description}, if_match)

    def set_role(
        self,
        name: str,
        role: str | None,
        *,
        person: str | None = None,
        team: str | None = None,
        if_match: str | None = None,
    ) -> dict[str, Any]:
        """Gives a person or a team the role reader, submitter or operator in a project; None takes it away."""
        body = {"person": person, "team": team, "role": role}
        body = {key: value for key, value in body.items() if value is not None}
        return self._put(f"{PROJECTS}/{part(name)}/role", body, if_match)

    def set_quota(
        self,
        name: str,
        *,
        running_steps: int | None = None,
        targets: Mapping[str, int] | None = None,
        queued_runs: int | None = None,
        if_match: str | None = None,
    ) -> dict[str, Any]:
        """Bounds what a project may have at once. What is left out is not bounded."""
        body = {"running_steps": running_steps, "targets": dict(targets or {}), "queued_runs": queued_runs}
        said = {key: value for key, value in body.items() if value is not None}
        return self._put(f"{PROJECTS}/{part(name)}/quota", said, if_match)

    def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Removes a project with its roles and its quota; its runs stay."""
        self._http.json("DELETE", f"{PROJECTS}/{part(name)}", query={"by": user()}, if_match=if_match)

    def teams(self, *, sort: str | None = None) -> Rows:
        """All teams with their people, by name or by the field `sort`, with `-` before it the other way round."""
        found: Rows = self._http.json("GET", TEAMS, query={"sort": sort})
        return found

    def team(self, name: str) -> dict[str, Any]:
        """One team with its people."""
        found: dict[str, Any] = self._http.json("GET", f"{TEAMS}/{part(name)}")
        return found

    def team_etag(self, name: str) -> str:
        """The revision of a team, for `if_match`."""
        return self._http.etag(f"{TEAMS}/{part(name)}")

    def set_team(self, name: str, people: Iterable[str], *, if_match: str | None = None) -> dict[str, Any]:
        """Makes a team, or gives it other people, by the subjects of their tokens."""
        return self._put(f"{TEAMS}/{part(name)}", {"people": sorted(set(people))}, if_match)

    def delete_team(self, name: str, *, if_match: str | None = None) -> None:
        """Removes a team and its roles."""
        self._http.json("DELETE", f"{TEAMS}/{part(name)}", query={"by": user()}, if_match=if_match)

    def _put(self, path: str, body: Mapping[str, Any], if_match: str | None) -> dict[str, Any]:
        found: dict[str, Any] = self._http.json(
            "PUT", path, query={"by": user()}, body=body, once=True, if_match=if_match
        )
        return found
