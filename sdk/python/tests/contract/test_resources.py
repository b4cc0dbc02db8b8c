"""Experiments, compute targets, stages of models and renames, on a real server: what their fakes in the unit tests say is what it answers."""

from __future__ import annotations

from pathlib import Path

import pytest

import tidemill


def submitted(server: tidemill.Local, project: Path, experiment: str) -> tidemill.Run:
    return server.submit(project / "pipeline.yml", experiment=experiment, force_rerun=True).wait(timeout=120)


def test_an_experiment_is_listed_described_and_walked_through(server: tidemill.Local, project: Path) -> None:
    first = submitted(server, project, "leavers-2024")
    last = submitted(server, project, "leavers-2024")
    found = server.experiments["leavers-2024"]
    assert (found.run_count, found.tracked_run_count, found.is_deleted, found.description) == (2, 0, False, "")
    assert found.created_at is not None
    assert found.created_at <= first.submitted_at
    assert found.last_run is not None
    assert [found.last_run.id, *[run.id for run in found.runs()]] == [last.id, last.id, first.id]
    seen = found.etag
    assert found.describe("who leaves", tags={"owner": "ada", "team": "crm"}).description == "who leaves"
    assert found.describe(tags={"team": None}, if_match=found.etag).tags == {"owner": "ada"}
    with pytest.raises(tidemill.ConflictError):
        found.describe("somebody else's", if_match=seen)
    assert server.experiments["leavers-2024"].description == "who leaves"
    submitted(server, project, "leavers-2025")
    names = ["leavers-2024", "leavers-2025"]
    assert [one.name for one in server.experiments.list(prefix="leavers-")] == names
    assert [one.name for one in server.experiments.list(prefix="leavers-", sort="-name", limit=1)] == names[1:]
    assert set(names) <= {one.name for one in server.experiments}
    with pytest.raises(tidemill.NotFoundError):
        server.experiments["nobodys"]


def test_an_experiment_that_mlflow_renamed_and_deleted_is_seen_so(server: tidemill.Local, project: Path) -> None:
    run = submitted(server, project, "to-be-renamed")
    identity = {"experiment_id": server.experiments["to-be-renamed"].id}
    server._http.json("POST", "/api/2.0/mlflow/experiments/update", body={**identity, "new_name": "renamed"})
    found = server.experiments["renamed"]
    assert (found.id, found.run_count) == (identity["experiment_id"], 1)
    assert [one.id for one in found.runs()] == [run.id]
    server._http.json("POST", "/api/2.0/mlflow/experiments/delete", body=identity)
    assert "renamed" not in {one.name for one in server.experiments}
    assert {one.name: one.is_deleted for one in server.experiments.list(deleted=True)}["renamed"]


def test_a_compute_target_says_who_serves_it_and_what_it_does(server: tidemill.Local, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
    (tmp_path / "waits.yml").write_text(
        f'type: pipeline\nsettings: {{default_compute: cpu}}\njobs:\n  waits: {{command: "{wait}", cache: false}}\n'
    )
    run = server.submit(tmp_path / "waits.yml")
    for event in run.watch():
        if event.step_status == "running":
            break
    found = server.compute_targets["cpu"]
    assert (found.name, found.running, found.waiting) == ("cpu", 1, 0)
    assert found.slots == 4
    assert found.slots_free == 3
    assert len(found.workers) == 1
    gate.touch()
    run.wait(timeout=120)
    assert server.compute_targets["cpu"].running == 0
    assert "cpu" in [one.name for one in server.compute_targets]
    assert [one.name for one in server.compute_targets.list(sort="-slots_free", limit=1)]


def test_a_version_of_a_model_comes_into_a_stage_and_shows_what_was_measured(
    server: tidemill.Local, tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    program = "import sys; sys.path.insert(0, sys.argv[1])\nfrom tidemill import current\nassert current.log_metric('auc', 0.75, step=3)\nopen(sys.argv[2], 'w').write('model')\n"
    (tmp_path / "src/fit.py").write_text(program)
    package = Path(tidemill.__file__).parent.parent
    (tmp_path / "fit.yml").write_text(
        "type: pipeline\nname: fits\njobs:\n  fit:\n    code: ./src\n"
        f"    command: python3 fit.py {package} ${{{{outputs.model}}}}\n    outputs: {{model: {{type: uri_file}}}}\n"
    )
    run = server.submit(tmp_path / "fit.yml").wait(timeout=120)
    first = server.models.register_output("promoted", run, "fit", "model")
    second = server.models.register("promoted", tmp_path / "fit.yml")
    assert first.model_stage == "none"
    assert first.promote("production").model_stage == "production"
    assert second.promote("production", archive_existing=True).model_stage == "production"
    assert server.models.get("promoted", 1).model_stage == "archived"
    assert server.models["promoted"].model_stages == {"production": "2", "archived": "1"}
    (measured,) = server.models.get("promoted", 1).metrics
    assert (measured["key"], measured["value"], measured["iteration"]) == ("auc", 0.75, 3)
    with pytest.raises(tidemill.ConflictError):
        first.promote("staging", if_match='"1"')


def test_an_asset_gets_another_name_and_the_old_one_goes_on_to_mean_it(
    server: tidemill.Local, project: Path, tmp_path: Path
) -> None:
    server.data.register("before", project / "rows.csv", labels=["best"])
    server.data.register("taken", project / "rows.csv")
    renamed = server.data["before"].rename("after")
    assert (renamed.name, renamed.former_names) == ("after", ["before"])
    assert server.data["before"].name == "after"
    assert server.data.get("before", "best").name == "after"
    assert server.data.get("after", "best").artifact.read_text() == "a\nb\nc\nd\n"
    run = server.submit(project / "pipeline.yml", {"rows": "azureml:before@best"}).wait(timeout=120)
    assert run.outputs["total"].read_text() == "8"
    with pytest.raises(tidemill.ConflictError):
        renamed.rename("taken")
    model = server.models.register("churn-old", project / "rows.csv")
    assert server.models["churn-old"].rename("churn-new").name == "churn-new"
    assert server.models.get("churn-old", 1).version == model.version
