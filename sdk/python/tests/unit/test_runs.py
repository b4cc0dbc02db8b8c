from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timezone
from typing import Any

import pytest

from tests.fakes import Answer, Fake, Request, answer, http_of
from tidemill import NotFoundError, RunFailedError, TidemillError, UnavailableError, WaitTimeoutError
from tidemill._runs import Run, Runs

STEP: dict[str, Any] = {
    "path": "train",
    "display_name": "Train",
    "kind": "command",
    "target": "cpu",
    "status": "succeeded",
    "depends_on": ["prep"],
    "started_at": 1_700_000_000_000,
    "finished_at": 1_700_000_001_500,
    "outputs": {"model": {"kind": "blob", "digest": "ab" * 32, "size_bytes": 3, "files": 1}},
    "inputs": [
        {"name": "rate", "source": "0.1"},
        {"name": "data", "source": "prep.rows", "artifact": {"kind": "tree", "digest": "cd" * 32, "size_bytes": 9, "files": 2}},
    ],
    "attempts": [
        {"attempt": 1, "status": "failed", "dispatched_at": 1, "failure": {"reason": "exit_code", "code": 3, "message": "it ended with 3", "stderr_tail": "boom"}},
        {"attempt": 2, "status": "succeeded", "dispatched_at": 2, "worker": "w1"},
    ],
}  # fmt: skip


def view(status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {
        "id": "0193",
        "pipeline": "p",
        "display_name": "a <b>p</b>",
        "experiment": "e",
        "status": status,
        "submitted_by": "me",
        "submitted_at": 1_700_000_000_000,
        "steps": {"total": 1, "succeeded": 1},
        "steps_list": [STEP],
        "outputs": {"best": "train.model"},
        "parameters": {"rate": "0.1"},
        **more,
    }


def event(sequence: int, run_status: str = "running", step: str | None = None, step_status: str | None = None) -> bytes:
    body = {
        "sequence": sequence,
        "at": 1_700_000_000_000,
        "run": "0193",
        "event": "x",
        "run_status": run_status,
        "step": step,
        "step_status": step_status,
    }
    return f"id: {sequence}\ndata: {json.dumps(body)}\n\n".encode()


def run_of(fake: Fake, status: str = "running") -> Run:
    return Run(http_of(fake), view(status))


EVENTS = "/api/v1/runs/0193/events"


def test_one_walks_from_a_run_to_a_step_to_an_output() -> None:
    fake = Fake().on("GET", "/api/v1/runs/last", answer(view()))
    run = Runs(http_of(fake)).get("last")
    step = run["train"]
    assert (step.status, step.depends_on, step.started_at) == (
        "succeeded",
        ["prep"],
        datetime.fromtimestamp(1_700_000_000, timezone.utc),
    )
    assert step.outputs["model"].digest == "ab" * 32
    assert step.inputs["rate"] == "0.1"
    assert getattr(step.inputs["data"], "is_folder", None) is True
    assert [(attempt.number, attempt.failure, attempt.worker) for attempt in step.attempts] == [
        (1, "it ended with 3", None),
        (2, None, "w1"),
    ]
    assert (run.outputs["best"].name, run.outputs["best"].digest) == ("best", "ab" * 32)
    assert run.parameters == {"rate": "0.1"}
    assert len(fake.requests) == 1, "what has ended is not looked at again"


def test_a_run_is_watched_across_a_connection_that_breaks(pauses: list[float]) -> None:
    first = event(1) + event(2, step="train", step_status="running")
    fake = Fake().on(
        "GET", EVENTS, Answer(first + event(3), breaks_after=len(first)), answer(event(3) + event(4, "succeeded"))
    )
    found = list(run_of(fake).watch())
    assert [(seen.sequence, seen.run_status) for seen in found] == [
        (1, "running"),
        (2, "running"),
        (3, "running"),
        (4, "succeeded"),
    ]
    assert [request.headers["last-event-id"] for request in fake.requests] == ["0", "2"]


def test_a_watcher_whom_nobody_answers_gives_up(pauses: list[float]) -> None:
    with pytest.raises(UnavailableError):
        list(run_of(Fake().on("GET", EVENTS, UnavailableError("nobody"))).watch())


def test_a_run_that_has_ended_is_watched_to_its_end_at_once(pauses: list[float]) -> None:
    fake = Fake().on("GET", EVENTS, answer(b": nothing\n\n")).on("GET", "/api/v1/runs/0193", answer(view()))
    assert list(run_of(fake).watch(after=9)) == []


def test_waiting_ends_with_the_run_and_says_why_it_failed() -> None:
    failed = {**STEP, "status": "failed"}
    fake = Fake().on("GET", EVENTS, answer(event(1, "failed")))
    fake.on("GET", "/api/v1/runs/0193", answer(view("failed", steps_list=[failed])))
    with pytest.raises(RunFailedError, match="train: it ended with 3") as raised:
        run_of(fake).wait()
    assert raised.value.run.status == "failed"
    assert run_of(fake).wait(check=False).status == "failed"


def test_waiting_shows_what_happens_on_a_terminal() -> None:
    body = (
        event(1, step="train", step_status="dispatched")
        + event(2, step="train", step_status="running")
        + event(3, "succeeded")
    )
    fake = Fake().on("GET", EVENTS, answer(body)).on("GET", "/api/v1/runs/0193", answer(view()))
    shown = io.StringIO()
    run_of(fake).wait(show=True, file=shown)
    assert shown.getvalue().splitlines()[1:] == ["22:13:20  train  running"]
    silent = io.StringIO()
    run_of(fake).wait(file=silent)
    assert silent.getvalue() == "", "nobody looks at what is no terminal"


def test_the_time_to_wait_may_be_over_before_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("tidemill._runs.time.monotonic", lambda: now[0])
    monkeypatch.setattr("tidemill._runs.time.sleep", lambda length: now.__setitem__(0, now[0] + length))
    fake = Fake().on("GET", EVENTS, answer([]))
    with pytest.raises(WaitTimeoutError, match="it goes on"):
        run_of(fake).wait(timeout=3)
    assert all(request.method == "GET" for request in fake.requests)


def test_ctrl_c_stops_waiting_and_not_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(request: Request) -> Answer:
        raise KeyboardInterrupt

    fake = Fake().on("GET", EVENTS, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_of(fake).wait()
    assert "the run goes on" in capsys.readouterr().err
    assert fake.paths() == [f"GET {EVENTS}"]


def test_a_log_is_read_by_lines_and_taken_up_where_it_broke(pauses: list[float]) -> None:
    path = "/api/v1/runs/0193/steps/train/logs"
    fake = Fake().on("GET", path, Answer(b"one\ntwo", breaks_after=6), answer(b"o\nthree"))
    fake.on("GET", "/api/v1/runs/0193", answer(view("running")))
    assert list(run_of(fake)["train"].logs(follow=True)) == ["one", "two", "three"]
    assert "offset=6" in fake.requests[-1].path
    assert "follow=true" in fake.requests[-1].path


def test_a_run_is_cancelled_retried_and_listed() -> None:
    fake = Fake().on("POST", "/api/v1/runs/0193/cancel", answer(view("cancelling")))
    fake.on("POST", "/api/v1/runs/0193/retry", answer(view("running")))
    fake.on("GET", "/api/v1/runs", answer({"items": [view("running")]}))
    run = run_of(fake)
    assert run.cancel().status == "cancelling"
    assert run.retry().status == "running"
    since = datetime.fromtimestamp(1, timezone.utc)
    listed = list(Runs(http_of(fake)).list(status="running", tags={"a": "b", "c": "d"}, since=since, limit=3))
    assert [found.id for found in listed] == ["0193"]
    assert fake.requests[-1].path == "/api/v1/runs?status=running&tags=a%3Db%2Cc%3Dd&since=1000&limit=3"


def test_a_runs_page_escapes_everything_and_needs_nothing_from_elsewhere() -> None:
    nasty = {
        **STEP,
        "path": "<script>x</script>",
        "status": "failed",
        "outputs": {'"><img src=x>': STEP["outputs"]["model"]},
    }
    nasty["attempts"] = [{"attempt": 1, "failure": {"message": "<b>boom</b>", "stderr_tail": "</div>"}}]
    page = Run(http_of(Fake()), view(steps_list=[nasty, {**STEP, "depends_on": ["<script>x</script>"]}]))._repr_html_()
    for bad in ("<script", "<img", "<b>boom", "a <b>p", "http://", "https://", "url(", "</div></div><"):
        assert bad not in page.replace('xmlns="http://www.w3.org/2000/svg"', ""), bad
    assert "&lt;script&gt;" in page
    assert page.count("<rect") == 2
    assert page.count("<path") == 1


API = "/api/2.0/mlflow"


def test_metrics_are_read_as_rows_page_by_page() -> None:
    def tracked(step: str, attempt: int, *metrics: dict[str, Any]) -> dict[str, Any]:
        tags = [{"key": "tidemill.step", "value": step}, {"key": "tidemill.attempt", "value": str(attempt)}]
        return {"info": {"run_id": f"{step}-{attempt}"}, "data": {"tags": tags, "metrics": list(metrics)}}

    loss = {"key": "loss", "value": 0.5, "timestamp": 1_700_000_000_000, "step": 2}
    earlier = {**loss, "value": 1, "step": 1}
    fake = Fake().on("GET", f"{API}/runs/get", answer({"run": {"info": {"experiment_id": "7"}}}))
    pages = [
        {"runs": [tracked("prep", 1), tracked("train", 1, loss)], "next_page_token": "t"},
        {"runs": [tracked("train", 2, loss)]},
    ]
    fake.on("POST", f"{API}/runs/search", *map(answer, [*pages, *pages]))
    fake.on(
        "GET",
        f"{API}/metrics/get-history",
        answer({"metrics": [earlier], "next_page_token": "u"}),
        answer({"metrics": [loss]}),
    )
    fake.on("GET", "/api/v1/runs/0193", answer(view()))
    run = run_of(fake)
    rows = run.metrics()
    assert [row["reused_from"] for row in rows] == [None, None]
    assert [(row["step"], row["attempt"], row["key"], row["value"], row["iteration"]) for row in rows] == [
        ("train", 1, "loss", 0.5, 2),
        ("train", 2, "loss", 0.5, 2),
    ]
    asked = fake.requests[1].json
    assert (asked["experiment_ids"], asked["filter"]) == (["7"], "tags.`tidemill.run` = '0193'")
    assert fake.requests[2].json["page_token"] == "t"
    assert [row["value"] for row in run.metrics(history=True)] == [1.0, 0.5, 0.5]


def test_a_reused_step_has_the_metrics_of_the_step_that_made_its_result_and_says_so() -> None:
    def tracked(attempt: int, value: float) -> dict[str, Any]:
        tags = [{"key": "tidemill.step", "value": "fit"}, {"key": "tidemill.attempt", "value": str(attempt)}]
        metric = {"key": "loss", "value": value, "timestamp": 1, "step": 2}
        return {"info": {"run_id": f"fit-{attempt}"}, "data": {"tags": tags, "metrics": [metric]}}

    def search(request: Request) -> Answer:
        made = request.json["filter"] == "tags.`tidemill.run` = '0100' AND tags.`tidemill.step` = 'fit'"
        return answer({"runs": [tracked(1, 0.9), tracked(2, 0.5)] if made else []})

    reused = {**STEP, "status": "reused", "reused_from": "0100/fit"}

    def get(request: Request) -> Answer:
        if request.path.endswith("run_id=0099"):
            return answer({"message": "it was forgotten"}, 404)
        return answer({"run": {"info": {"experiment_id": "7"}}})

    lost = {**STEP, "path": "other", "status": "reused", "reused_from": "0099/fit"}
    fake = Fake().on("GET", f"{API}/runs/get", get)
    fake.on("POST", f"{API}/runs/search", search)
    fake.on("GET", "/api/v1/runs/0193", answer(view(steps_list=[reused, lost])))
    (row,) = run_of(fake).metrics()
    assert (row["step"], row["reused_from"]) == ("train", "0100/fit")
    assert (row["attempt"], row["value"]) == (2, 0.5), "the attempt that made the result"


def test_a_coordinator_without_metrics_is_said_to_have_none() -> None:
    fake = Fake().on("GET", f"{API}/runs/get", answer({"message": "no such resource"}, 404))
    with pytest.raises(NotFoundError, match="nothing is known of metrics"):
        run_of(fake).metrics()


COMMENT = {"number": 1, "by": "ada", "at": 1_700_000_000_000, "text": "it diverges"}


def test_a_run_is_tagged_described_and_shown_as_it_is_then() -> None:
    fake = Fake().on("PATCH", "/api/v1/runs/0193", answer(view(tags={"stage": "prod"}, display_name="best")))
    run = Run(http_of(fake), view())
    assert run.tag({"a b": "c"}, stage="prod", old=None).tags == {"stage": "prod"}
    assert fake.requests[0].json == {"tags": {"a b": "c", "stage": "prod", "old": None}}
    assert run.describe("the one", name="best").display_name == "best"
    assert fake.requests[1].json == {"description": "the one", "display_name": "best"}
    run.describe("")
    assert fake.requests[2].json == {"description": ""}, "an empty text is a text"


def test_comments_are_written_listed_edited_and_removed() -> None:
    path = "/api/v1/runs/0193/comments"
    fake = (
        Fake()
        .on("POST", path, answer(COMMENT, 201))
        .on("GET", path, answer([COMMENT]))
        .on("PATCH", f"{path}/1", answer({**COMMENT, "text": "no", "edited_at": 1_700_000_001_000}))
        .on("DELETE", f"{path}/1", answer(status=204))
    )
    run = Run(http_of(fake), view())
    assert run.comment("it diverges").number == 1
    assert fake.requests[0].json == {"text": "it diverges"}
    [kept] = run.comments()
    assert (kept.by, kept.text, kept.edited_at) == ("ada", "it diverges", None)
    assert run.edit_comment(1, "no").edited_at == datetime(2023, 11, 14, 22, 13, 21, tzinfo=timezone.utc)
    run.remove_comment(1)
    assert [request.method for request in fake.requests] == ["POST", "GET", "PATCH", "DELETE"]


def test_who_did_what_is_read_anew() -> None:
    act = {"at": 1_700_000_000_000, "by": "ada", "what": "retried"}
    fake = Fake().on("GET", "/api/v1/runs/0193", answer(view(activity=[act])))
    [row] = Run(http_of(fake), view()).activity
    assert (row["by"], row["what"], row["detail"]) == ("ada", "retried", "")
    assert row["at"] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)


def test_runs_are_listed_by_project_and_say_theirs() -> None:
    fake = Fake().on("GET", "/api/v1/runs", answer({"items": [view(project="cars"), view()]}))
    found = list(Runs(http_of(fake)).list(project="cars"))
    assert "project=cars" in fake.requests[0].path
    assert [run.project for run in found] == ["cars", "default"], "an older coordinator knows no projects"


def test_a_data_frame_without_pandas_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(TidemillError, match="needs pandas") as raised:
        Run(http_of(Fake()), view()).metrics_frame()
    assert "run.metrics()" in (raised.value.hint or "")
    with pytest.raises(TidemillError, match="needs pandas") as raised:
        Run(http_of(Fake()), view(steps_list=[STEP]))["train"].outputs["model"].to_pandas()
    assert "artifact.open()" in (raised.value.hint or "")
