"""Outputs that are copied to a datastore, on a coordinator without a port."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import Fake, answer
from tests.unit.azureml_steps import drawn, fake, ws
from tidemill.azureml import NotSupportedError
from tidemill.azureml.core import Datastore, Experiment, RunConfiguration, ScriptRunConfig, Workspace
from tidemill.azureml.data import OutputFileDatasetConfig
from tidemill.azureml.exceptions import UserErrorException
from tidemill.azureml.pipeline.core import Pipeline
from tidemill.azureml.pipeline.steps import PythonScriptStep

__all__ = ["fake", "ws"]


@pytest.fixture
def lake(fake: Fake, ws: Workspace) -> Datastore:
    fake.replace("GET", "/api/v1/datastores", answer([{"name": "lake"}]))
    return Datastore(ws, "lake")


def test_an_output_with_a_destination_is_copied_there_by_a_step_of_its_own(ws: Workspace, lake: Datastore) -> None:
    out = OutputFileDatasetConfig(destination=(lake, "/made/{output-name}/")).register_on_complete("rows")
    PythonScriptStep("prep.py", "prep it", ["--out", out], compute_target="big", source_directory="src")
    train = PythonScriptStep("train.py", "train", [out.as_input("rows")], source_directory="src")
    found = drawn(ws, train)["jobs"]
    assert list(found) == ["prep_it", "train", "copy_output_1_of_prep_it"]
    assert found["copy_output_1_of_prep_it"] == {
        "display_name": "copy output_1 of prep it",
        "type": "copy",
        "inputs": {"source": "${{parent.jobs.prep_it.outputs.output_1}}"},
        "destination": "azureml://datastores/lake/paths/made/output_1",
        "compute": "azureml:big",
    }
    # Whoever reads it does not wait for the copy.
    assert found["train"]["inputs"] == {"rows": "${{parent.jobs.prep_it.outputs.output_1}}"}
    assert "depends_on" not in found["train"]
    assert found["prep_it"]["outputs"] == {"output_1": {"type": "uri_folder", "name": "rows"}}
    assert (
        "copy output_1" in Pipeline(ws, [train])._repr_html_() or "copy_output_1" in Pipeline(ws, [train])._repr_html_()
    )


def test_the_copy_runs_where_the_step_runs_that_writes(ws: Workspace, lake: Datastore) -> None:
    config = RunConfiguration()
    config.target = "gpu"
    out = OutputFileDatasetConfig("made", destination=("elsewhere", "x"))
    step = PythonScriptStep("prep.py", "prep", [out], runconfig=config, source_directory="src")
    found = drawn(ws, step)["jobs"]["copy_made_of_prep"]
    assert (found["compute"], found["destination"]) == ("azureml:gpu", "azureml://datastores/elsewhere/paths/x")


def test_the_outputs_of_a_script_by_itself_are_copied_too(
    ws: Workspace, lake: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = OutputFileDatasetConfig("made", destination=(lake, "x"))
    config = ScriptRunConfig("src", "prep.py", ["--out", out])
    seen: list[Any] = []

    class Stop(Exception):
        pass

    def submit(document: Any, **_: Any) -> Any:
        seen.append(document.to_dict()["jobs"])
        raise Stop

    monkeypatch.setattr(ws._client, "submit", submit)
    with pytest.raises(Stop):
        Experiment(ws, "e").submit(config)
    assert list(seen[0]) == ["script", "copy_made_of_script"]


def test_a_destination_to_which_no_worker_can_write_is_refused(ws: Workspace, lake: Datastore) -> None:
    with pytest.raises(NotSupportedError, match="which the coordinator does not know") as raised:
        OutputFileDatasetConfig("x", destination=(ws.get_default_datastore(), "out"))
    assert "tidemill datastore add workspaceblobstore" in str(raised.value.hint)
    with pytest.raises(NotSupportedError, match=r"`\{run-id\}` in a destination"):
        OutputFileDatasetConfig("x", destination=(lake, "out/{run-id}"))
    wrong: list[Any] = [lake, (lake,), (lake, None), (None, "x"), (lake, "x", "y")]
    for destination in wrong:
        with pytest.raises(UserErrorException, match="is no destination"):
            OutputFileDatasetConfig("x", destination=destination)
