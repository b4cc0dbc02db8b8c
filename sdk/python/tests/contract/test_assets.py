from __future__ import annotations

from pathlib import Path

import pytest

import tidemill
from tests.contract.counted import doubled


def test_data_is_registered_under_a_name_found_and_brought_back(server: tidemill.Local, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/a.csv").write_text("1")
    first = server.data.register("rows", folder, description="some", tags={"a": "b"}, labels=["best"])
    assert (first.version, first.kind, first.description, first.tags) == ("1", "data", "some", {"a": "b"})
    (folder / "b.csv").write_text("2")
    second = server.data.register("rows", folder)
    assert second.version == "2"
    assert server.data.register("rows", folder, version=2).version == "2", "the same again changes nothing"
    assert server.data["rows"].labels == {"best": "1"}
    assert sorted(server.data.get("rows").labels) == ["latest"]
    assert server.data.get("rows", "best").artifact.paths() == ["inner/a.csv"]
    second.label("best")
    assert [version.version for version in server.data["rows"].versions()] == ["2", "1"]
    place = server.data["rows"]["best"].download(tmp_path / "out")
    assert (place / "b.csv").read_text() == "2"
    assert first.describe(stage="deprecated", tags={"a": None}).stage == "deprecated"
    assert [asset.name for asset in server.data.list(prefix="row")] == ["rows"]
    assert "rows" in server.data
    assert "none" not in server.data
    with pytest.raises(tidemill.ConflictError):
        server.data.register("rows", tmp_path / "out/b.csv", version=1)
    second.remove()
    assert server.data["rows"].latest.version == "1"


def test_a_model_of_a_run_remembers_where_it_came_from(server: tidemill.Local, project: Path) -> None:
    run = server.submit(doubled(project / "rows.csv")).wait(timeout=120)
    model = server.models.register_output("doubler", run, "add", "total", labels=["champion"])
    assert model.origin == {"run": run.id, "step": "add", "output": "total"}
    assert server.models.get("doubler", "champion").artifact.read_text() == "20"
    other = server.models.register("doubler", run["double"].outputs["parts"])
    assert other.artifact.is_folder
    address = server.data.register("elsewhere", "s3://bucket/folder", type="uri_folder")
    with pytest.raises(tidemill.ValidationError):
        address.download()


def test_a_published_pipeline_is_started_by_its_name(server: tidemill.Local, project: Path) -> None:
    published = server.publish(doubled(project / "rows.csv"), "doubling", labels=["default"])
    assert {parameter["name"]: parameter.get("default") for parameter in published.parameters}["times"] == "2"
    run = server.pipelines["doubling"].start({"times": 10}, name="by name", tags={"a": "b"}).wait(timeout=120)
    assert (run.outputs["total"].read_text(), run.display_name) == ("52", "by name")
    one = server.pipelines["doubling"].start(idempotency_key="k", version="default")
    assert server.pipelines["doubling"].start(idempotency_key="k").id == one.id
    assert one.wait(timeout=120).status == "succeeded"
    with pytest.raises(tidemill.ValidationError) as raised:
        server.pipelines["doubling"].start({"times": "many"})
    assert raised.value.problems


def test_environments_are_registered(server: tidemill.Local) -> None:
    added = server.environments.register("small", python="3.11", requirements=["numpy<3"])
    assert added.view["body"]["environment"]["python"]["requirements"] == ["numpy<3"]
    assert [asset.name for asset in server.environments] == ["small"]


def test_a_component_is_registered_with_its_code_and_used_by_its_name(server: tidemill.Local, project: Path) -> None:
    added = server.components.register("counter", project / "count.yml", labels=["stable"])
    assert [parameter["name"] for parameter in added.parameters] == ["rows", "times"]
    (project / "uses.yml").write_text(
        "type: pipeline\njobs:\n  count:\n    component: azureml:counter@stable\n    inputs: {rows: {type: uri_file, path: rows.csv}, times: 9}\n"
    )
    run = server.submit(project / "uses.yml").wait(timeout=120)
    assert run["count"].outputs["total"].read_text() == "36"

    @tidemill.pipeline
    def drawn() -> None:
        tidemill.load_component("azureml:counter@stable")(rows=project / "rows.csv", times=9)

    assert server.submit(drawn).wait(timeout=120)["counter"].status == "reused"
