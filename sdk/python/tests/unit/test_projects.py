from __future__ import annotations

from typing import Any

from tests.fakes import Fake, answer, http_of
from tidemill._projects import Projects

CARS: dict[str, Any] = {"name": "cars", "quota": {}, "usage": {"running_steps": 0, "queued_runs": 0}}


def test_a_project_is_made_given_roles_and_a_quota_and_deleted() -> None:
    path = "/api/v1/projects/cars"
    fake = Fake()
    for rest in ("", "/role", "/quota"):
        fake.on("PUT", path + rest, answer(CARS))
    fake.on("GET", path, answer(CARS)).on("DELETE", path, answer(status=204)).on(
        "GET", "/api/v1/projects", answer([CARS])
    )
    projects = Projects(http_of(fake))
    projects.create("cars", "what cars see")
    projects.set_role("cars", "submitter", team="eyes")
    projects.set_role("cars", None, person="ada")
    projects.set_quota("cars", running_steps=0, targets={"gpu": 2})
    assert [request.json for request in fake.requests] == [
        {"description": "what cars see"},
        {"team": "eyes", "role": "submitter"},
        {"person": "ada"},
        {"running_steps": 0, "targets": {"gpu": 2}},
    ], "a bound of nothing is a bound"
    assert projects["cars"]["name"] == "cars"
    assert len(projects.list()) == 1
    projects.delete("cars")
    assert fake.requests[-1].method == "DELETE"


def test_a_team_has_each_of_its_people_once() -> None:
    team = {"name": "eyes", "people": ["ada", "bob"], "created_at": 1, "created_by": "root"}
    path = "/api/v1/teams/eyes"
    fake = (
        Fake()
        .on("PUT", path, answer(team))
        .on("GET", "/api/v1/teams", answer([team]))
        .on("DELETE", path, answer(status=204))
    )
    projects = Projects(http_of(fake))
    projects.set_team("eyes", ["bob", "ada", "bob"])
    assert fake.requests[0].json == {"people": ["ada", "bob"]}
    assert projects.teams()[0]["name"] == "eyes"
    projects.delete_team("eyes")
