"""Kinds of steps other than processes: what they are written as is what the coordinator reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tidemill
from tidemill.azureml.core import Dataset, Datastore, Environment, Experiment, Run, ScriptRunConfig, Workspace
from tidemill.azureml.core.conda_dependencies import CondaDependencies
from tidemill.azureml.data import DataReference, OutputFileDatasetConfig
from tidemill.azureml.exceptions import NotSupportedError
from tidemill.azureml.pipeline.core import Pipeline, PipelineData, PipelineDraft, PipelineParameter
from tidemill.azureml.pipeline.steps import (
    DataTransferStep,
    HyperDriveStep,
    MpiStep,
    ParallelRunConfig,
    ParallelRunStep,
    PythonScriptStep,
    SynapseSparkStep,
)
from tidemill.azureml.train.hyperdrive import (
    BanditPolicy,
    HyperDriveConfig,
    PrimaryMetricGoal,
    RandomParameterSampling,
    choice,
    uniform,
)


@pytest.fixture
def ws(server: tidemill.Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    for name in ("train.py", "score.py"):
        (tmp_path / "src" / name).write_text("print('hello')\n")
    (tmp_path / "rows.csv").write_text("a\n")
    return Workspace.of(server)


def parallel(ws: Workspace, environment: Environment) -> Any:
    config = ParallelRunConfig(environment, "score.py", 10, "append_row", "cpu", 2, 2, "5", "src", run_max_try=2)
    rows = Dataset.File.from_files("rows.csv").as_named_input("rows")
    return ParallelRunStep(
        "score-all", config, [rows], PipelineData("scores"), arguments=["--x", PipelineParameter("x", 1)]
    )


def sweep(ws: Workspace, environment: Environment) -> Any:
    config = HyperDriveConfig(
        RandomParameterSampling({"--rate": uniform(0.1, 1), "--depth": choice(1, 2)}),
        "accuracy",
        PrimaryMetricGoal.MAXIMIZE,
        8,
        2,
        policy=BanditPolicy(2, slack_factor=0.1),
        run_config=ScriptRunConfig("src", "train.py", environment=environment),
    )
    model = PipelineData("model")
    return HyperDriveStep("search", config, ["--model", model, "--x", PipelineParameter("x", 1)], outputs=[model])


def spark(ws: Workspace, environment: Environment) -> Any:
    arguments = ["--a", "two words", "--x", PipelineParameter("x", 1)]
    return SynapseSparkStep("train.py", "src", "spark", "2g", 2, "4g", 3, 5, arguments=arguments, conf={"spark.x": "y"})


def transfer(ws: Workspace, environment: Environment) -> Any:
    store = ws.get_default_datastore()
    store.upload_files(["rows.csv"], target_path="in", show_progress=False)
    ws._client.datastores.create("lake", Path.cwd().joinpath("lake").as_uri(), replace=True)
    return DataTransferStep("copy", DataReference(store, "a", "in"), DataReference(Datastore(ws, "lake"), "b", "out"))


def mpi(ws: Workspace, environment: Environment) -> Any:
    return MpiStep("mpi", "src", "train.py", node_count=2, process_count_per_node=2, environment_definition=environment)


@pytest.mark.parametrize(
    ("make", "instead"),
    [
        (parallel, "a `command` step whose script goes through the batches"),
        (sweep, "a `command` step for each combination"),
        (spark, "a `command` step that calls `spark-submit`"),
        (transfer, None),
        (mpi, None),
    ],
)
def test_a_step_of_another_kind_is_read_and_planned(ws: Workspace, make: Any, instead: str | None) -> None:
    environment = Environment("mine")
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["numpy"], python_version="3.11")
    pipeline = Pipeline(ws, [make(ws, environment)])
    found = pipeline.validate()
    assert (len(found), instead in "".join(found)) == (1, True) if instead else found == []
    assert len(ws._client.plan(pipeline._drawn("planned")).steps) == 1


@pytest.mark.parametrize("make", [parallel, sweep, spark])
def test_a_kind_that_is_not_run_is_not_submitted_and_says_what_works_instead(ws: Workspace, make: Any) -> None:
    pipeline = Pipeline(ws, [make(ws, Environment("mine"))])
    sends = (
        lambda: pipeline.submit("Kinds"),
        lambda: pipeline.publish("kinds"),
        lambda: PipelineDraft.create(ws, pipeline, "kinds"),
    )
    for send in sends:
        with pytest.raises(NotSupportedError, match="what runs today is a `command` step"):
            send()
    assert list(ws._client.runs.list(experiment="Kinds")) == []


def test_what_was_copied_is_in_the_datastore_and_is_read_by_the_steps_after_it(ws: Workspace, tmp_path: Path) -> None:
    store = ws.get_default_datastore()
    (tmp_path / "raw/deep").mkdir(parents=True)
    (tmp_path / "raw/a.txt").write_text("one")
    (tmp_path / "raw/deep/b.txt").write_text("two")
    store.upload("raw", target_path="in", show_progress=False)
    ws._client.datastores.create("archive", (tmp_path / "archive").as_uri(), replace=True)
    (tmp_path / "archive").mkdir()
    archive = Datastore(ws, "archive")
    Path("src/read.py").write_text(
        "import pathlib, sys\nprint(sorted((p.name, p.read_text()) for p in pathlib.Path(sys.argv[1]).rglob('*.txt')))\n"
    )
    copy = DataTransferStep(
        "copy", DataReference(store, "raw", "in"), DataReference(archive, "kept", "2024/in"), allow_reuse=False
    )
    # And back out of the datastore, one file of it.
    there = DataReference(archive, "there", "2024/in/a.txt")
    again = DataTransferStep(
        "again", there, DataReference(archive, "twice", "twice"), destination_reference_type="directory"
    )
    again.run_after(copy)
    kept, twice = copy.get_output(), again.get_output()
    read = PythonScriptStep("read.py", arguments=[kept], inputs=[kept, twice], source_directory="src")
    with pytest.warns(tidemill.PipelineWarning, match="counts by its address only"):
        run = Pipeline(ws, [read]).submit("Copies")
    assert run.wait_for_completion(show_output=False) == "Finished"
    assert {path.relative_to(tmp_path / "archive").as_posix(): path.read_text() for path in files(tmp_path)} == {
        "2024/in/a.txt": "one",
        "2024/in/deep/b.txt": "two",
        "twice/a.txt": "one",
    }
    (step,) = run.find_step_run("read.py")
    assert step.get_stdout_log().strip() == "[('a.txt', 'one'), ('b.txt', 'two')]"


def test_an_output_with_a_destination_is_in_the_datastore(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    ws._client.datastores.create("archive", (tmp_path / "archive").as_uri(), replace=True)
    Path("src/write.py").write_text(
        "import pathlib, sys\nroot = pathlib.Path(sys.argv[1])\n(root / 'deep').mkdir()\n"
        "(root / 'a.txt').write_text('one')\n(root / 'deep/b.txt').write_text(sys.argv[2])\n"
    )
    Path("src/read.py").write_text(
        "import pathlib, sys\nprint((pathlib.Path(sys.argv[1]) / 'deep/b.txt').read_text())\n"
    )
    archive = Datastore(ws, "archive")
    out = OutputFileDatasetConfig("made", destination=(archive, "2026/{output-name}"))
    PythonScriptStep("write.py", arguments=[out, "two"], source_directory="src")
    read = PythonScriptStep("read.py", arguments=[out.as_input("rows")], source_directory="src")
    run = Pipeline(ws, [read]).submit("Destinations")
    assert run.wait_for_completion(show_output=False) == "Finished"
    found = {path.relative_to(tmp_path / "archive").as_posix(): path.read_text() for path in files(tmp_path)}
    assert found == {"2026/made/a.txt": "one", "2026/made/deep/b.txt": "two"}
    assert run.find_step_run("read.py")[0].get_stdout_log().strip() == "two"
    assert run.find_step_run("copy made of write.py")[0].get_status() == "Finished"
    # Once more: the step is reused, and the copy made.
    (tmp_path / "archive/2026/made/a.txt").unlink()
    again = Pipeline(ws, [read]).submit("Destinations")
    assert again.wait_for_completion(show_output=False) == "Finished"
    assert "azureml.reusedrunid" in again.find_step_run("write.py")[0].properties
    assert (tmp_path / "archive/2026/made/a.txt").read_text() == "one"
    # A script by itself, whose run is one of a script though a copy belongs to it.
    alone = OutputFileDatasetConfig("alone", destination=(archive, "alone"))
    config = ScriptRunConfig("src", "write.py", [alone, "three"])
    script = Experiment(ws, "Destinations").submit(config)
    assert script.wait_for_completion()["status"] == "Completed"
    assert (tmp_path / "archive/alone/deep/b.txt").read_text() == "three"
    assert type(Run.get(ws, script.id)) is type(script)


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "archive").rglob("*") if path.is_file()]


def test_what_is_wrong_is_listed(ws: Workspace) -> None:
    step = PythonScriptStep("train.py", compute_target="<pool>", source_directory="src")
    (problem,) = Pipeline(ws, [step]).validate()
    assert "<pool>" in problem


def test_a_step_is_waited_for_with_what_it_writes(ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    Path("src/slow.py").write_text("import time\nprint('begun', flush=True)\ntime.sleep(0.1)\nprint('ended')\n")
    run = Pipeline(ws, [PythonScriptStep("slow.py", source_directory="src", allow_reuse=False)]).submit("Waiting")
    assert run.get_steps()[0].wait_for_completion(show_output=True) == "Finished"
    assert capsys.readouterr().out == "begun\nended\n"
    assert run.wait_for_completion(show_output=False) == "Finished"
