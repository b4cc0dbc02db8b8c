from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import tidemill
from tests.fakes import Fake, answer
from tidemill import Client, ValidationError
from tidemill._zones import placed, windows_zones

VIEW: dict[str, Any] = {"name": "fresh", "spec": {"pipeline": "train"}}


def client_of(fake: Fake) -> Client:
    return Client("http://127.0.0.1:1", "tmk_x", transport=fake)


def test_a_schedule_on_changes_of_files_is_made_paused_and_removed() -> None:
    fake = Fake().on("PUT", "/api/v1/schedules/fresh", answer(VIEW))
    fake.on("POST", "/api/v1/schedules/fresh/pause", answer({**VIEW, "pause": {"at": 1, "by": "ada"}}))
    fake.on("POST", "/api/v1/schedules/fresh/resume", answer(VIEW))
    fake.on("DELETE", "/api/v1/schedules/fresh", answer(None, 204))
    made = client_of(fake).schedules.create(
        "fresh",
        "train",
        on_change="azureml://datastores/lake/paths/in/",
        poll_seconds=60,
        parameters={"rows": "${{trigger.path}}"},
    )
    put = fake.requests[-1]
    assert put.headers["if-none-match"] == "*"
    assert put.json["trigger"] == {"files_changed": {"datastore": "lake", "path": "in", "every": 60_000}}
    assert put.json["parameters"] == {"rows": "${{trigger.path}}"}
    assert made.pause("the source is down").is_paused
    assert not made.resume().is_paused
    made.remove()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"cron": "* * * * *", "on_run": "prep"},
        {"on_change": "s3://lake/in"},
        {"on_change": "azureml://datastores/"},
        {"every": timedelta(seconds=90)},
        {"every": timedelta(0)},
        {"cron": "* * * * *", "outcomes": ["failed"]},
        {"on_run": "prep", "start": datetime(2026, 12, 1)},
        {"cron": "* * * * *", "start": datetime(2026, 12, 1), "time_zone": "Mars/Olympus"},
    ],
)
def test_a_schedule_without_one_sound_trigger_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        client_of(Fake()).schedules.create("x", "p", **wrong)
    assert raised.value.hint


def made_with(**options: Any) -> Any:
    fake = Fake().on("PUT", "/api/v1/schedules/x", answer(VIEW))
    client_of(fake).schedules.create("x", "p", **options)
    return fake.requests[-1].json


def test_a_length_of_time_is_the_recurrence_that_it_is() -> None:
    for length, frequency, interval in (
        (timedelta(minutes=15), "minute", 15),
        (timedelta(hours=6), "hour", 6),
        (timedelta(days=2), "day", 2),
    ):
        trigger = {"frequency": frequency, "interval": interval, "time_zone": "UTC"}
        assert made_with(every=length)["trigger"] == {"recurrence": trigger}


def test_moments_are_by_the_clocks_of_the_schedule_or_by_their_own_offset() -> None:
    weekly: Any = {"frequency": "week", "week_days": ["monday"], "hours": [8]}
    found = made_with(
        recurrence=weekly,
        time_zone="Europe/Berlin",
        start=datetime(2026, 12, 1, 8),
        end=datetime(2027, 1, 1, tzinfo=timezone.utc),
        jitter_seconds=90,
        version=3,
        continue_on_step_failure=True,
    )
    moments = {"start_at": 1_796_108_400_000, "end_at": 1_798_761_600_000}
    assert found["trigger"] == {"recurrence": {**weekly, "time_zone": "Europe/Berlin", **moments}}
    assert (found["jitter"], found["version"], found["continue_on_step_failure"]) == (90_000, "3", True)
    assert made_with(on_run="prep", outcomes=["failed", "aborted"])["trigger"] == {
        "run_ended": {"pipeline": "prep", "outcomes": ["failed", "aborted"]}
    }


@pytest.mark.parametrize(
    "zone", ["W. Europe Standard Time", "w. europe standard time", " Europe/Berlin ", "europe/berlin", "CET"]
)
def test_zones_may_have_the_names_that_windows_has_for_them(zone: str) -> None:
    for month, hour in ((1, 7), (7, 6)):
        found = made_with(cron="0 8 * * *", time_zone=zone, start=datetime(2026, month, 1, 8))["trigger"]["cron"]
        at = datetime(2026, month, 1, hour, tzinfo=timezone.utc)
        assert (found["time_zone"], found["start_at"]) == (zone, int(at.timestamp() * 1000))


def test_the_table_of_windows_zones_is_the_coordinators() -> None:
    theirs = Path(__file__).parents[4] / "coordinator/src/schedules/calendar/windows_zones.txt"
    ours = Path(tidemill.__file__).parent / "windows_zones.txt"
    assert ours.read_text(encoding="utf-8") == theirs.read_text(encoding="utf-8"), "copy the coordinator's"
    for windows in windows_zones():
        assert placed(datetime(2026, 7, 1), windows).utcoffset() is not None


AT = 1_796_108_400_000


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"next_at": AT}, "it fires 2026-12-01 07:00 UTC"),
        ({}, "its end has passed: it fires no more"),
        ({"pause": {"at": AT, "by": "ada", "reason": "moving"}}, "it is paused since 2026-12-01 07:00 UTC by ada: moving"),
        ({"last": {"nominal": AT, "outcome": {"started": {"run": "r1"}}}}, "its last moment, 2026-12-01 07:00 UTC, was started: r1"),
        ({"last": {"nominal": AT, "outcome": "overlapped"}}, "its last moment, 2026-12-01 07:00 UTC, was overlapped: a run still went on"),
        ({"last": {"nominal": AT, "outcome": {"missed": {"times": 2}}}}, "its last moment, 2026-12-01 07:00 UTC, was missed: no coordinator was there, 2 times"),
        ({"last": {"nominal": AT, "outcome": {"refused": {"why": "it is disabled"}}}}, "its last moment, 2026-12-01 07:00 UTC, was refused: it is disabled"),
        ({"waiting": 2}, "2 moments wait for the run before to end"),
        ({"spec": {"trigger": {"new_version": {"name": "iris"}}}}, "it waits for each new version of data iris"),
        ({"spec": {"trigger": {"run_ended": {"pipeline": "prep"}}}}, "it waits for each run of prep that succeeded"),
        ({"spec": {"trigger": {"files_changed": {"datastore": "lake", "path": "in", "every": 60_000}}}}, "it waits for changes of files in lake/in (every 60 s)"),
        ({"spec": {"trigger": {"files_changed": {"datastore": "lake"}}}, "looked": {"at": AT, "files": 3}}, "it looked at its files 2026-12-01 07:00 UTC: there are 3"),
        ({"spec": {"trigger": {"files_changed": {"datastore": "lake"}}}, "looked": {"at": AT, "files": 0, "problem": "no secret"}}, "it could not look at its files 2026-12-01 07:00 UTC: no secret"),
    ],
)  # fmt: skip
def test_a_schedule_says_why_it_does_or_does_not_fire(more: dict[str, Any], said: str) -> None:
    view = {"name": "x", "spec": {"trigger": {"cron": {"expression": "0 8 * * *"}}}, **more}
    fake = Fake().on("GET", "/api/v1/schedules/x", answer(view))
    assert said in client_of(fake).schedules.get("x").explain()


def test_only_a_schedule_by_the_clock_says_what_becomes_of_moments_that_pass_while_nobody_is_there() -> None:
    for trigger, said in (
        ({"cron": {"expression": "0 8 * * *"}}, True),
        ({"files_changed": {"datastore": "lake"}}, False),
        ({"new_version": {"name": "iris"}}, False),
    ):
        fake = Fake().on("GET", "/api/v1/schedules/x", answer({"name": "x", "spec": {"trigger": trigger}}))
        lines = client_of(fake).schedules.get("x").explain()
        assert ("what passes while no coordinator runs is missed" in lines) is said, trigger
