from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import Fake, answer
from tidemill import Client, ValidationError

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
    ],
)
def test_a_schedule_without_one_sound_trigger_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        client_of(Fake()).schedules.create("x", "p", **wrong)  # type: ignore[arg-type]
