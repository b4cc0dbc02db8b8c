from __future__ import annotations

from tests.fakes import Fake, answer
from tidemill import Client

RUN = {"id": "r1", "status": "succeeded", "pipeline": "p", "display_name": "first", "experiment": "churn"}
EXPERIMENT = {"name": "old churn", "id": "7", "tags": {"a": "b"}, "runs": 2, "tracked_runs": 1, "last_run": RUN}
QUEUE = {"target": "gpu", "backlog": 3, "dispatched": 1, "running": 2, "workers": 1, "slots": 4}
TARGET = {"name": "gpu", "compute_type": "gpu", "slots_free": 2, "queue": QUEUE, "workers": [{"id": "w1"}]}
VERSION = {"kind": "model", "name": "churn", "version": "1", "body": {"model": {}}, "stage": "active"}


def client_of(fake: Fake) -> Client:
    return Client("http://127.0.0.1:1", "tmk_x", transport=fake)


def test_an_experiment_is_found_described_and_walked_through() -> None:
    fake = Fake().on("GET", "/api/v1/experiments/old%20churn", answer(EXPERIMENT))
    fake.on("PATCH", "/api/v1/experiments/old%20churn", answer({**EXPERIMENT, "description": "who leaves"}))
    fake.on("GET", "/api/v1/runs", answer({"items": [RUN]}))
    found = client_of(fake).experiments["old churn"]
    assert (found.name, found.id, found.tags, found.description) == ("old churn", "7", {"a": "b"}, "")
    assert (found.run_count, found.tracked_run_count, found.is_deleted, found.created_at) == (2, 1, False, None)
    assert found.last_run is not None
    assert found.last_run.id == "r1"
    assert found.describe("who leaves", tags={"a": None}).description == "who leaves"
    assert fake.requests[-1].json == {"description": "who leaves", "tags": {"a": None}}
    assert [run.id for run in found.runs()] == ["r1"]
    assert fake.requests[-1].path == "/api/v1/runs?experiment=churn&limit=200", "its runs have the name that it had"


def test_an_experiment_is_made_once_renamed_deleted_and_brought_back() -> None:
    new = {**EXPERIMENT, "name": "elms"}
    fake = Fake().on("POST", "/api/v1/experiments", answer({**EXPERIMENT, "name": "oaks"}, 201))
    fake.on("PATCH", "/api/v1/experiments/oaks", answer(new))
    fake.on("DELETE", "/api/v1/experiments/elms", answer(None, 204))
    fake.on("POST", "/api/v1/experiments/elms/restore", answer(new))
    made = client_of(fake).experiments.create("oaks", "who leaves", tags={"owner": "ada"})
    assert fake.requests[-1].json == {"name": "oaks", "description": "who leaves", "tags": {"owner": "ada"}}
    assert fake.requests[-1].headers["idempotency-key"]
    assert made.rename("elms", if_match='"1"').name == "elms"
    assert fake.requests[-1].json == {"name": "elms"}
    assert fake.requests[-1].headers["if-match"] == '"1"'
    made.delete()
    assert made.is_deleted
    assert not made.restore().is_deleted


def test_experiments_come_in_pages_and_one_without_runs_has_no_last_one() -> None:
    empty = {"name": "b", "id": "8", "runs": 0, "tracked_runs": 0}
    pages = [answer({"items": [EXPERIMENT], "next_cursor": "old churn"}), answer({"items": [empty]})]
    fake = Fake().on("GET", "/api/v1/experiments", *pages)
    found = list(client_of(fake).experiments.list(prefix="", deleted=True))
    assert [one.name for one in found] == ["old churn", "b"]
    assert found[1].last_run is None
    assert "deleted=true" in fake.requests[0].path
    assert "cursor=old" in fake.requests[1].path


def test_a_compute_target_says_what_waits_and_who_serves_it() -> None:
    fake = Fake().on("GET", "/api/v1/compute-targets", answer({"items": [TARGET]}))
    fake.on("GET", "/api/v1/compute-targets/gpu", answer(TARGET))
    client = client_of(fake)
    assert [one.name for one in client.compute_targets] == ["gpu"]
    found = client.compute_targets.get("gpu")
    assert (found.compute_type, found.slots, found.slots_free, found.running, found.waiting) == ("gpu", 4, 2, 2, 4)
    assert [worker["id"] for worker in found.workers] == ["w1"]


def test_a_model_comes_into_a_stage_gets_another_name_and_shows_what_was_measured() -> None:
    metric = {"key": "auc", "last": {"step": 3, "time": 5, "value": 0.75}, "tracked_run": "t1"}
    path = "/api/v1/assets/model/churn/versions/1"
    fake = Fake().on("GET", path, answer({**VERSION, "model_stage": "none", "metrics": [metric]}))
    fake.on("PATCH", path, answer({**VERSION, "model_stage": "production"}))
    asset = {"kind": "model", "name": "churn", "latest": "1", "versions": 1, "model_stages": {"production": "1"}}
    fake.on("GET", "/api/v1/assets/model/churn", answer(asset))
    fake.on("PATCH", "/api/v1/assets/model/churn", answer({**asset, "name": "leavers", "former_names": ["churn"]}))
    client = client_of(fake)
    version = client.models.get("churn", 1)
    measured = version.metrics[0]
    assert (measured["key"], measured["value"], measured["iteration"], measured["dataset"]) == ("auc", 0.75, 3, None)
    assert version.model_stage == "none"
    assert version.promote("production", archive_existing=True).model_stage == "production"
    assert fake.requests[-1].json == {"model_stage": "production", "archive_existing": True}
    model = client.models["churn"]
    assert model.model_stages == {"production": "1"}
    assert model.rename("leavers").name == "leavers"
    assert (fake.requests[-1].json, model.former_names) == ({"name": "leavers"}, ["churn"])
