from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tidemill
from tests.contract.counted import doubled, failing, outer


def test_a_pipeline_file_is_submitted_with_all_that_it_names(server: tidemill.Local, project: Path) -> None:
    run = server.submit(project / "pipeline.yml", name="from a file", tags={"kind": "file"}).wait(timeout=120)
    assert (run.status, run.pipeline, run.display_name, run.tags["kind"]) == (
        "succeeded",
        "counting",
        "from a file",
        "file",
    )
    assert run["count"].logs().read_text() == "counting 4\n"
    assert run.outputs["total"].read_text() == "8"
    assert run.parameters["times"] == "2"
    (project / "more.csv").write_text("x\n")
    other = server.submit(project / "pipeline.yml", {"times": 7, "rows": project / "more.csv"}).wait(timeout=120)
    assert other.outputs["total"].read_text() == "7"


def test_what_has_not_changed_is_not_run_again_and_a_plan_says_so_before(server: tidemill.Local, project: Path) -> None:
    (project / "rows.csv").write_text("unique to this test\n")
    server.submit(project / "pipeline.yml").wait(timeout=120)
    assert [step.decision for step in server.plan(project / "pipeline.yml").steps] == ["reuse"]
    again = server.submit(project / "pipeline.yml").wait(timeout=120)
    assert again["count"].status == "reused"
    (project / "src/count.py").write_text((project / "src/count.py").read_text() + "# changed\n")
    (step,) = server.plan(project / "pipeline.yml").steps
    assert step.decision == "run"
    assert "count.py" in " ".join(step.reasons)


def test_a_pipeline_drawn_in_python_runs_as_it_was_drawn(server: tidemill.Local, project: Path) -> None:
    run = server.submit(doubled(project / "rows.csv")).wait(timeout=120)
    assert [step.path for step in run] == ["double", "again", "add"]
    assert sorted(run["add"].depends_on) == ["again", "double"]
    assert run.outputs["total"].read_text() == "20"
    assert run["double"].logs().read_text() == "double has 4 rows, note it's $HOME; `x`\n"
    assert run.outputs["parts"].paths() == ["a.txt", "b.txt", "c.txt", "d.txt"]
    assert run.outputs["parts"]["b.txt"].read_text() == "b"
    assert run.experiment == "contract"


def test_a_nested_pipeline_and_values_of_a_submission(server: tidemill.Local, project: Path) -> None:
    run = server.submit(outer(project / "rows.csv")).wait(timeout=120)
    assert run.outputs["total"].read_text() == "32"
    assert [step.path for step in run] == ["doubled.double", "doubled.again", "doubled.add"]
    assert run["doubled.again"].status == "reused", "it does the same work as in the test above, or runs here first"


def test_a_run_that_fails_says_why(server: tidemill.Local) -> None:
    with pytest.raises(tidemill.RunFailedError, match="fail") as raised:
        server.submit(failing).wait(timeout=120)
    run = raised.value.run
    assert run.status == "failed"
    assert "too bad" in run["fail"].logs(stream="stderr").read_text()
    assert run["fail"].attempts[-1].failure
    assert run["fail"].explain()
    assert run.retry().wait(timeout=120, check=False).status == "failed"


def test_the_same_key_gives_the_same_run(server: tidemill.Local, project: Path) -> None:
    one = server.submit(project / "pipeline.yml", idempotency_key="once")
    two = server.submit(project / "pipeline.yml", idempotency_key="once")
    assert one.id == two.id
    assert one.wait(timeout=120).is_done


def test_runs_are_found_and_listed(server: tidemill.Local, project: Path) -> None:
    run = server.submit(project / "pipeline.yml", tags={"mark": "listed"}).wait(timeout=120)
    assert server.runs.get(run.id[:13]).id == run.id
    assert server.runs["last"].id == run.id
    assert [found.id for found in server.runs.list(tags={"mark": "listed"})] == [run.id]
    assert next(iter(server.runs)).id == run.id
    with pytest.raises(tidemill.NotFoundError) as raised:
        server.runs.get("00000000-0000-7000-8000-000000000000")
    assert raised.value.request_id


def test_what_happens_is_watched_and_a_run_is_cancelled(server: tidemill.Local, tmp_path: Path) -> None:
    (tmp_path / "slow.yml").write_text("type: pipeline\njobs:\n  slow:\n    command: echo begun && sleep 600\n")
    run = server.submit(tmp_path / "slow.yml")
    lines = run.logs("slow", follow=True)
    assert next(lines) == "begun"
    run.cancel()
    seen = list(run.watch())
    assert seen[-1].run_status == "cancelled"
    assert [event.sequence for event in seen] == sorted({event.sequence for event in seen})
    later = list(run.watch(after=seen[-2].sequence))
    assert [event.sequence for event in later] == [seen[-1].sequence]
    assert run.refresh()["slow"].status == "cancelled"


def test_every_problem_is_reported_with_its_place(server: tidemill.Local, project: Path) -> None:
    (project / "count.yml").write_text("type: command\ncode: ./nowhere\ncomand: x\n")
    for check in (server.validate, server.submit, server.plan):
        with pytest.raises(tidemill.ValidationError) as raised:
            check(project / "pipeline.yml")
        problems = raised.value.problems
        assert "project/count.yml" in {problem.file for problem in problems}
        assert len(problems) >= 2
        assert all(problem.line for problem in problems)


def test_names_mean_what_the_settings_say(server: tidemill.Local, project: Path) -> None:
    (project / "tidemill.toml").write_text(
        '[data]\nmine = {path = "rows.csv", type = "uri_file"}\n[components]\ncounting = "count.yml"\n'
    )
    (project / "names.yml").write_text(
        "type: pipeline\njobs:\n  count:\n    component: azureml:counting:1\n    inputs: {rows: {type: uri_file, path: 'azureml:mine:1'}}\n"
    )
    run = server.submit(project / "names.yml").wait(timeout=120)
    assert run["count"].outputs["total"].read_text() == "4"


def test_a_download_is_the_same_with_and_without_blake3(
    server: tidemill.Local, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = server.submit(doubled(project / "rows.csv")).wait(timeout=120)
    one = run["double"].outputs["parts"].download(tmp_path / "with")
    monkeypatch.setitem(sys.modules, "blake3", None)
    two = run["double"].outputs["parts"].download(tmp_path / "without")
    for folder in (one, two):
        assert {path.name: path.read_text() for path in folder.iterdir()} == {f"{name}.txt": name for name in "abcd"}


def test_a_file_of_some_length_comes_back_as_it_was(server: tidemill.Local, tmp_path: Path) -> None:
    data = bytes(range(251)) * 30_000
    (tmp_path / "big").write_bytes(data)
    assert server.upload(tmp_path / "big").read_bytes() == data


def test_a_notebook_shows_a_run(server: tidemill.Local, project: Path) -> None:
    run = server.submit(doubled(project / "rows.csv")).wait(timeout=120)
    page = run._repr_html_()
    assert page.count("<rect") == 3
    assert run.id in page
