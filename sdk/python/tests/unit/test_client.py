from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Fake, Request, answer
from tidemill import (
    AssetVersion,
    Client,
    NotSupportedError,
    PipelineWarning,
    Run,
    UnavailableError,
    ValidationError,
    command_step,
    pipeline,
)

SPEC = {"format": 1, "name": "p"}
RUN = {"id": "r1", "status": "queued", "pipeline": "p"}


def client_of(fake: Fake) -> Client:
    return Client("http://127.0.0.1:1", "tmk_x", transport=fake)


NEARLY = {"code": "TM0712", "severity": "warning", "message": "it is nearly that", "help": "say more", "path": "jobs.a"}
SWEEP = {"code": "TM0711", "severity": "warning", "message": "`sweep` steps fail", "help": "what runs is a `command`"}


def loading(fake: Fake, *warnings: dict[str, str]) -> Fake:
    def load(request: Request) -> Answer:
        said = {"needs": [], "spec": SPEC, "parameters": request.json["parameters"], "warnings": warnings}
        return answer(said)

    return fake.on("POST", "/api/v1/pipelines/load", load)


@pipeline
def small(rate: float = 0.5, flag: bool = False) -> None:
    command_step("true", inputs={"rate": 0.1, "flag": False})(rate=rate, flag=flag)


def test_a_submission_says_what_was_asked_for_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_USER", "ada")
    fake = loading(Fake()).on("POST", "/api/v1/runs", answer(RUN, 201))
    (tmp_path / "p.yml").write_text("type: pipeline\n")
    given = {"rate": 1e-3, "flag": True, "n": 3, "none": None}
    run = client_of(fake).submit(tmp_path / "p.yml", given, name="first", tags={"a": "b"}, priority=2, force_rerun=True)
    assert (run.id, run.status) == ("r1", "queued")
    body = fake.requests[-1].json
    key = body.pop("idempotency_key")
    assert len(key) == 36
    assert body == {
        "spec": SPEC,
        "parameters": {"rate": "0.001", "flag": "True", "n": "3"},
        "display_name": "first",
        "tags": {"a": "b"},
        "priority": 2,
        "force_rerun": True,
        "submitted_by": "ada",
    }
    assert fake.requests[-1].headers["authorization"] == "Bearer tmk_x"


def test_a_submission_whose_answer_is_lost_is_sent_again_under_the_same_key(pauses: list[float]) -> None:
    fake = loading(Fake()).on("POST", "/api/v1/runs", UnavailableError("lost"), answer(RUN))
    client_of(fake).submit(small(rate=0.25))
    bodies = [request.json for request in fake.requests if request.path == "/api/v1/runs"]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert bodies[0]["parameters"] == {"rate": "0.25"}


def test_what_is_worth_knowing_of_a_pipeline_is_a_warning_at_the_authors_line() -> None:
    fake = loading(Fake(), NEARLY).on("POST", "/api/v1/runs", answer(RUN))
    with pytest.warns(
        PipelineWarning, match=r"jobs\.a: warning\[TM0712\]: it is nearly that\n  help: say more"
    ) as shown:
        client_of(fake).submit(small)
    assert [Path(one.filename).name for one in shown] == ["test_client.py"]
    fake.on("POST", "/api/v1/plan", answer({"pipeline": "p", "steps": [], "warnings": [NEARLY]}))
    client = client_of(fake)
    assert [found.code for found in client.plan(small).warnings] == ["TM0712"]
    assert [found.message for found in client.validate(small)] == ["it is nearly that"]


def test_what_nothing_runs_is_not_submitted_and_not_published() -> None:
    client = client_of(loading(Fake(), NEARLY, SWEEP))
    for send in (client.submit, client.publish, lambda what: client.drafts.create("d", what)):
        with pytest.raises(NotSupportedError, match="what runs is a `command`") as raised:
            send(small)
        assert [found.code for found in raised.value.problems] == ["TM0711"]
    assert [found.code for found in client.validate(small)] == ["TM0712", "TM0711"]


def test_values_of_the_submission_win_over_those_of_the_call() -> None:
    fake = loading(Fake()).on("POST", "/api/v1/runs", answer(RUN))
    client_of(fake).submit(small(rate=0.25, flag=True), {"rate": 4}, idempotency_key="mine")
    body = fake.requests[-1].json
    assert (body["parameters"], body["idempotency_key"]) == ({"rate": "4", "flag": "True"}, "mine")


@pytest.mark.parametrize("value", [[1], {"a": 1}, object()])
def test_what_is_no_literal_is_refused_before_anything_is_sent(value: Any) -> None:
    fake = Fake()
    with pytest.raises(ValueError, match="is no value for a parameter"):
        client_of(fake).submit(small, {"rate": value})
    assert fake.requests == []


def test_a_plan_is_shown_step_by_step() -> None:
    steps = [
        {"path": "a", "target": "cpu", "decision": "reuse", "reasons": []},
        {"path": "b", "target": "gpu", "decision": "run", "reasons": ["code: b.py changed"], "depends_on": ["a"]},
    ]
    fake = loading(Fake()).on("POST", "/api/v1/plan", answer({"pipeline": "p", "steps": steps}))
    plan = client_of(fake).plan(small)
    assert [(step.path, step.decision, step.depends_on) for step in plan.steps] == [
        ("a", "reuse", ()),
        ("b", "run", ("a",)),
    ]
    assert str(plan) == "a: reuse\nb: run (code: b.py changed)"
    assert "idempotency_key" not in fake.requests[-1].json


def test_a_client_says_where_it_leads_and_not_with_what_token() -> None:
    with client_of(Fake()) as client:
        assert repr(client) == "<Client http://127.0.0.1:1>"
        assert "tmk_x" not in repr(vars(client))


def test_a_version_of_data_is_given_by_its_name(tmp_path: Path) -> None:
    fake = loading(Fake()).on("POST", "/api/v1/runs", answer(RUN, 201))
    (tmp_path / "p.yml").write_text("type: pipeline\n")
    client = client_of(fake)
    version = AssetVersion(client._http, {"kind": "data", "name": "iris", "version": "3"})
    client.submit(tmp_path / "p.yml", {"rows": version, "other": "azureml:sales@latest"})
    given = {"rows": "azureml:iris:3", "other": "azureml:sales@latest"}
    assert fake.requests[-1].json["parameters"] == given


def test_a_run_is_published_with_what_it_was_submitted_with() -> None:
    added = {"kind": "pipeline", "name": "p", "version": "1", "stage": "active", "body": {"pipeline": {}}}
    fake = Fake().on("POST", "/api/v1/assets/pipeline/p/versions", answer(added, 201))
    fake.on("POST", "/api/v1/assets/pipeline/kept/versions", answer({**added, "name": "kept"}, 201))
    client = client_of(fake)
    run = Run(client._http, {**RUN, "pipeline": "p"})
    assert client.publish(run).name == "p"
    assert fake.requests[-1].json["source"] == {"run": {"run": RUN["id"]}}
    assert client.publish(run, "kept", labels=["default"]).name == "kept"


def test_a_published_pipeline_is_started_in_a_project() -> None:
    fake = Fake().on("GET", "/api/v1/assets/pipeline/p", answer({"kind": "pipeline", "name": "p"}))
    fake.on("POST", "/api/v1/pipelines/p/runs", answer(RUN, 201))
    client_of(fake).pipelines["p"].start({"n": 3}, project="churn", continue_on_step_failure=True, version=2)
    sent = fake.requests[-1]
    assert sent.path.endswith("?version=2")
    assert (sent.json["project"], sent.json["continue_on_step_failure"]) == ("churn", True)
    assert sent.json["idempotency_key"]


def test_what_has_no_lineage_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValidationError, match="has no lineage"):
        client_of(Fake()).lineage(3)  # type: ignore[arg-type]
