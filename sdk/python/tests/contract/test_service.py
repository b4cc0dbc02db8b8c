"""Schedules, drafts, projects, datastores and lineage against the real server."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import tidemill
from tests.contract.counted import doubled


def test_a_schedule_is_made_looked_at_paused_and_removed(server: tidemill.Local, project: Path) -> None:
    server.publish(doubled(project / "rows.csv"), "by-the-clock", labels=["default"])
    nightly = server.schedules.create(
        "nightly",
        "by-the-clock",
        cron="30 2 * * *",
        time_zone="Europe/Berlin",
        start=datetime(2131, 1, 1),
        end=datetime(2131, 1, 3),
        parameters={"times": 3},
        overlap="queue",
        catch_up="last",
        tags={"made": "here"},
        description="each night",
    )
    assert nightly.next() == [datetime(2131, 1, day, 1, 30, tzinfo=timezone.utc) for day in (1, 2)]
    assert nightly.next_at == nightly.next(1)[0]
    assert nightly.explain() == [
        "it fires 2131-01-01 01:30 UTC",
        "it has not fired yet",
        "a run is started when the one before it has ended",
        "of what passes while no coordinator runs, the last is made up for",
    ]
    assert nightly.firings() == []
    assert nightly.pause("moving").is_paused
    assert nightly.explain()[0].endswith(": moving")
    assert not nightly.resume().is_paused
    with pytest.raises(tidemill.ConflictError):
        server.schedules.create("nightly", "by-the-clock", every=timedelta(hours=6))
    assert "nightly" in [schedule.name for schedule in server.schedules]
    nightly.remove()
    with pytest.raises(tidemill.NotFoundError):
        server.schedules.get("nightly")


def test_every_kind_of_trigger_is_understood(server: tidemill.Local, project: Path, tmp_path: Path) -> None:
    server.publish(doubled(project / "rows.csv"), "occasional", labels=["default"])
    server.datastores.create("watched", tmp_path.as_uri())
    monday = datetime(2131, 1, 1, 8, tzinfo=timezone(timedelta(hours=1)))
    make = server.schedules.create
    weekly = make(
        "weekly",
        "occasional",
        recurrence={"frequency": "week", "interval": 2, "week_days": ["monday"], "hours": [8], "minutes": [15]},
        time_zone="W. Europe Standard Time",
        start=monday,
        jitter_seconds=60,
        version="default",
    )
    moments = weekly.next(2)
    assert moments[1] - moments[0] > timedelta(days=13)
    assert (moments[0].year, moments[0].weekday(), moments[0].hour, moments[0].minute) == (2131, 0, 7, 15)
    summers = make(
        "summers",
        "occasional",
        recurrence={"frequency": "day"},
        time_zone="W. Europe Standard Time",
        start=datetime(2131, 7, 2, 8),
    )
    assert summers.next(1) == [datetime(2131, 7, 2, 6, tzinfo=timezone.utc)]
    summers.remove()
    often = make("often", "occasional", every=timedelta(hours=6), start=monday)
    assert often.view["spec"]["trigger"]["recurrence"]["frequency"] == "hour"
    after = make("after", "occasional", on_run="counting", outcomes=["failed", "aborted"])
    assert after.explain()[0] == "it waits for each run of counting that failed or aborted"
    assert after.next() == []
    fresh = make("fresh", "occasional", on_version="rows", display_name="rows ${{trigger.version}}")
    assert fresh.explain()[0] == "it waits for each new version of data rows"
    place = "azureml://datastores/watched/paths/in"
    arrived = make(
        "arrived", "occasional", on_change=place, poll_seconds=3600, parameters={"rows": "${{trigger.path}}"}
    )
    assert "changes of files in watched/in" in arrived.explain()[0]
    for schedule in (weekly, often, after, fresh, arrived):
        schedule.remove()
    server.datastores["watched"].remove()


def test_a_draft_becomes_runs_and_a_version(server: tidemill.Local, project: Path) -> None:
    draft = server.drafts.create("tuning", doubled(project / "rows.csv"), parameters={"times": 4}, tags={"team": "crm"})
    seen = server.drafts.get("tuning")
    draft.edit(parameters={"times": 5})
    with pytest.raises(tidemill.ConflictError):
        seen.edit(parameters={"times": 6})
    assert server.drafts.get("tuning").parameters["times"] == "5"
    run = draft.submit({"times": 6}, name="from a draft", tags={"more": "so"}).wait(timeout=120)
    assert (run.outputs["total"].read_text(), run.display_name) == ("36", "from a draft")
    assert (run.tags["team"], run.tags["more"], run.tags["tidemill.draft"]) == ("crm", "so", "tuning")
    assert draft.publish("tuned", labels=["default"])["version"] == "1"
    assert [draft.name for draft in server.drafts.list(tag="team=crm")] == ["tuning"]
    started = server.pipelines["tuned"].start().wait(timeout=120)
    assert started.outputs["total"].read_text() == "32"
    again = server.drafts.create("again", run=run.id)
    assert again.parameters["times"] == "6"
    for each in (draft, again):
        each.remove()


def test_a_project_has_roles_a_quota_and_its_own_runs(server: tidemill.Local, project: Path) -> None:
    projects = server.projects
    projects.create("churn", "who leaves")
    projects.set_team("crm", ["ada", "eve"])
    projects.set_role("churn", "submitter", team="crm")
    projects.set_quota("churn", running_steps=2, queued_runs=10)
    kept = projects["churn"]
    assert kept["description"] == "who leaves"
    assert "churn" in [each["name"] for each in projects.list()]
    assert [team["people"] for team in projects.teams() if team["name"] == "crm"] == [["ada", "eve"]]
    server.publish(doubled(project / "rows.csv"), "of-a-project", labels=["default"])
    run = server.pipelines["of-a-project"].start(project="churn")
    draft = server.drafts.create("of-a-project", published="of-a-project")
    other = draft.submit(project="churn")
    assert {found.id for found in server.runs.list(project="churn")} == {run.id, other.id}
    assert (run.project, other.project) == ("churn", "churn")
    for each in (run, other):
        each.wait(timeout=120)
    draft.remove()
    projects.set_role("churn", None, team="crm")
    projects.delete_team("crm")
    projects.delete("churn")
    assert "churn" not in [each["name"] for each in projects.list()]


def test_a_datastore_is_defined_tested_read_and_removed(server: tidemill.Local, project: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "in").mkdir(parents=True)
    (place / "in/rows.csv").write_text("x\ny\n")
    lake = server.datastores.create("lake-of-files", place.as_uri(), description="files of this machine")
    assert (lake.name, lake.kind, lake.url, lake.description) == (
        "lake-of-files",
        "local",
        place.as_uri(),
        "files of this machine",
    )
    assert lake.test().is_reached
    with pytest.raises(tidemill.ConflictError):
        server.datastores.create("lake-of-files", "file:///elsewhere")
    with pytest.raises(tidemill.ConflictError, match="no secret `nobodys`"):
        server.datastores.create("closed", "s3://bucket", secrets={"aws_secret_access_key": "nobodys"})
    assert "lake-of-files" in [found.name for found in server.datastores]
    run = server.submit(project / "pipeline.yml", {"rows": lake.path("in/rows.csv")}).wait(timeout=120)
    assert run.outputs["total"].read_text() == "4"
    moved = server.datastores.create("lake-of-files", (tmp_path / "gone").as_uri(), replace=True)
    reached, message = moved.test()
    assert (reached, bool(message)) == (False, True)
    moved.remove()
    with pytest.raises(tidemill.NotFoundError):
        server.datastores.get("lake-of-files")


def test_lineage_leads_from_a_model_to_the_data_and_back(server: tidemill.Local, project: Path) -> None:
    (project / "rows.csv").write_text("of lineage\n")
    data = server.data.register("sources", project / "rows.csv")
    run = server.submit(doubled(data)).wait(timeout=120)
    model = server.models.register_output("descendant", run, "add", "total", labels=["champion"])
    up = server.lineage(model, direction="up")
    assert "sources:1" in up.assets
    assert {f"{run.id}/double", f"{run.id}/add"} <= set(up.steps)
    assert not up.is_truncated
    assert [root.asset for root in up.roots] == ["descendant"]
    assert any(edge.role == "first" for edge in up.edges)
    assert " (first)" in str(up)
    down = server.lineage("sources:1", kind="data", direction="down")
    assert "descendant:1" in down.assets
    assert server.lineage(run["add"], direction="up", depth=1).steps == [f"{run.id}/add"]
    of_content = server.lineage(run["add"].outputs["total"], direction="up")
    assert f"{run.id}/add" in of_content.steps
    assert server.lineage("descendant@champion", limit=1).is_truncated


def test_a_run_is_published_after_the_fact(server: tidemill.Local, project: Path) -> None:
    run = server.submit(project / "pipeline.yml", {"times": 7}).wait(timeout=120)
    version = server.publish(run, "after-the-fact", labels=["default"])
    assert (version.name, version.version) == ("after-the-fact", "1")
    started = server.pipelines["after-the-fact"].start().wait(timeout=120)
    assert started.outputs["total"].read_text() == "8", "the defaults are the pipeline's own"
    assert server.publish(run).name == run.pipeline
