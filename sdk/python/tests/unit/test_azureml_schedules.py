"""Schedules in azureml's words, on a coordinator without a port."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tests.fakes import Fake, answer
from tests.unit.azureml_steps import fake, ws
from tests.unit.test_azureml_runs import run_view
from tidemill import ValidationError
from tidemill._zones import windows_zones
from tidemill.azureml.core import Datastore, Workspace
from tidemill.azureml.exceptions import UserErrorException
from tidemill.azureml.pipeline.core import Schedule, ScheduleRecurrence, TimeZone
from tidemill.azureml.pipeline.core.time_zones import GIVEN_UP

__all__ = ["fake", "ws"]


def test_a_schedule_is_made_shown_paused_and_changed(fake: Fake, ws: Workspace) -> None:
    recurrence = ScheduleRecurrence(
        frequency="Week",
        interval=2,
        start_time="2026-01-31T08:00:00+01:00",
        time_zone=TimeZone.WEuropeStandardTime,
        week_days=["Monday", "Friday"],
        time_of_day="6:30",
    )
    view = {
        "name": "weekly",
        "spec": {"trigger": {"recurrence": recurrence._rendered()}, "pipeline": "p", "version": "2"},
    }
    fake.on("PUT", "/api/v1/schedules/weekly", answer(view))
    fake.on("POST", "/api/v1/schedules/weekly/pause", answer({**view, "pause": {"at": 1, "by": "ada"}}))
    fake.on("POST", "/api/v1/schedules/weekly/resume", answer(view))
    fake.on("GET", "/api/v1/schedules", answer([view]))
    fake.on("GET", "/api/v1/runs", answer({"items": [run_view("succeeded", [])]}))
    made = Schedule.create(
        ws, "weekly", "p:2", "Nightly runs", recurrence, "text", {"n": 1}, continue_on_step_failure=True
    )
    put = fake.requests[-1]
    assert put.headers["if-none-match"] == "*"
    assert put.json == {
        "trigger": {
            "recurrence": {
                "frequency": "week",
                "interval": 2,
                "hours": [6],
                "minutes": [30],
                "week_days": ["monday", "friday"],
                "time_zone": "W. Europe Standard Time",
                "start_at": 1769842800000,
            }
        },
        "pipeline": "p",
        "version": "2",
        "parameters": {"n": "1"},
        "experiment": "Nightly-runs",
        "continue_on_step_failure": True,
        "description": "text",
    }
    assert (made.id, made.pipeline_id, made.status) == ("weekly", "p:2", "Active")
    made.disable()
    assert made.status == "Disabled"
    made.enable()
    made.update(description="other", pipeline_parameters={"n": 2})
    assert fake.requests[-1].json["parameters"] == {"n": "2"}
    assert "if-none-match" not in fake.requests[-1].headers
    assert [schedule.name for schedule in Schedule.list(ws, pipeline_id="p")] == ["weekly"]
    last = made.get_last_pipeline_run()
    assert last is not None
    assert last.id == "r1"
    assert "tags=tidemill.schedule%3Dweekly" in fake.requests[-1].path


def test_a_schedule_that_watches_a_datastore_hands_its_folder_to_the_parameter_of_the_path(
    fake: Fake, ws: Workspace
) -> None:
    view = {"name": "fresh", "spec": {"trigger": {}, "pipeline": "p"}}
    fake.on("PUT", "/api/v1/schedules/fresh", answer(view))
    store = Datastore(ws, "lake")
    Schedule.create(
        ws,
        "fresh",
        "p",
        "e",
        datastore=store,
        path_on_datastore="in/2026/",
        polling_interval=2,
        data_path_parameter_name="rows",
    )
    body = fake.requests[-1].json
    assert body["trigger"] == {"files_changed": {"datastore": "lake", "path": "in/2026", "every": 120_000}}
    assert body["parameters"] == {"rows": "${{trigger.path}}"}
    assert body["overlap"] == "queue"
    with pytest.raises(UserErrorException):
        Schedule.create(ws, "x", "p", "e")
    with pytest.raises(UserErrorException):
        Schedule.create(ws, "x", "p", "e", ScheduleRecurrence("Day", 1), datastore=store)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frequency": "Year", "interval": 1},
        {"frequency": "Day", "interval": 0},
        {"frequency": "Day", "interval": 1, "week_days": ["Monday"]},
        {"frequency": "Hour", "interval": 1, "hours": [1]},
        {"frequency": "Week", "interval": 1, "week_days": ["Mon"]},
        {"frequency": "Day", "interval": 1, "hours": [1], "time_of_day": "3:30"},
    ],
)
def test_a_recurrence_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserErrorException):
        ScheduleRecurrence(**wrong)


def test_time_zones_are_those_of_the_table_under_azuremls_names() -> None:
    by_member = {zone.name: zone.value for zone in TimeZone}
    names = [*windows_zones(), *GIVEN_UP]
    assert by_member == {"".join(char for char in name if char.isalnum()): name for name in names}
    assert TimeZone.UTC11.value == "UTC-11"


@pytest.mark.parametrize(
    ("start", "zone", "instant"),
    [
        ("2026-01-31T08:00:00", TimeZone.WEuropeStandardTime, "2026-01-31T07:00:00"),
        ("2026-07-31T08:00:00", TimeZone.WEuropeStandardTime, "2026-07-31T06:00:00"),
        (datetime(2026, 7, 31, 8), TimeZone.PacificStandardTime, "2026-07-31T15:00:00"),
        ("2026-07-31T08:00:00", TimeZone.IndiaStandardTime, "2026-07-31T02:30:00"),
        ("2026-07-31T08:00:00", TimeZone.UTC11, "2026-07-31T19:00:00"),
        ("2026-07-31T08:00:00", TimeZone.KamchatkaStandardTime, "2026-07-30T20:00:00"),
        ("2026-07-31T08:00:00", "Europe/Berlin", "2026-07-31T06:00:00"),
        ("2026-07-31T08:00:00", None, "2026-07-31T08:00:00"),
        # An offset of its own counts.
        ("2026-07-31T08:00:00+09:00", TimeZone.WEuropeStandardTime, "2026-07-30T23:00:00"),
        ("2026-07-31T08:00:00Z", TimeZone.WEuropeStandardTime, "2026-07-31T08:00:00"),
        # Clocks are put forward at 2, and back at 3.
        ("2026-03-29T02:30:00", TimeZone.WEuropeStandardTime, "2026-03-29T01:30:00"),
        ("2026-10-25T02:30:00", TimeZone.WEuropeStandardTime, "2026-10-25T00:30:00"),
    ],
)
def test_a_start_is_by_the_clocks_of_the_time_zone(start: Any, zone: Any, instant: str) -> None:
    found = ScheduleRecurrence("Day", 1, start, zone)._rendered()["start_at"]
    assert datetime.fromtimestamp(found / 1000, timezone.utc).isoformat() == instant + "+00:00"


def test_a_zone_that_windows_has_given_up_goes_by_what_it_meant() -> None:
    sent = [ScheduleRecurrence("Day", 1, time_zone=TimeZone(name))._rendered()["time_zone"] for name in GIVEN_UP]
    assert sent == ["Asia/Kamchatka", "Atlantic/South_Georgia"]


def test_a_start_that_is_no_time_or_in_no_zone_is_refused() -> None:
    with pytest.raises(UserErrorException, match="`tomorrow` is no time"):
        ScheduleRecurrence("Day", 1, "tomorrow")._rendered()
    with pytest.raises(ValidationError, match="does not know the clocks of `Mars Standard Time`"):
        ScheduleRecurrence("Day", 1, "2026-01-31T08:00:00", "Mars Standard Time")._rendered()
