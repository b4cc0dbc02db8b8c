"""Steps of azureml in the words of pipeline files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Fake, answer
from tests.unit.azureml_steps import drawn, fake, job, ws
from tidemill.azureml import NotSupportedError
from tidemill.azureml.core import Dataset, Datastore, Environment, RunConfiguration, ScriptRunConfig, Workspace
from tidemill.azureml.core.conda_dependencies import CondaDependencies
from tidemill.azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration
from tidemill.azureml.data import DataPath, DataPathComputeBinding, DataReference, OutputFileDatasetConfig
from tidemill.azureml.exceptions import UserErrorException
from tidemill.azureml.pipeline.core import Pipeline, PipelineData, PipelineParameter, StepSequence
from tidemill.azureml.pipeline.steps import (
    AdlaStep,
    CommandStep,
    DatabricksStep,
    DataTransferStep,
    EstimatorStep,
    HyperDriveStep,
    MpiStep,
    ParallelRunConfig,
    ParallelRunStep,
    PythonScriptStep,
    RScriptStep,
    SynapseSparkStep,
)
from tidemill.azureml.train.hyperdrive import (
    BanditPolicy,
    BayesianParameterSampling,
    GridParameterSampling,
    HyperDriveConfig,
    PrimaryMetricGoal,
    RandomParameterSampling,
    choice,
    uniform,
)

__all__ = ["fake", "ws"]


def test_a_script_and_its_arguments_are_a_command_whose_words_stay_words(ws: Workspace) -> None:
    rate = PipelineParameter("learning rate", 0.1)
    step = PythonScriptStep(
        "train.py",
        "Train the model",
        ["--rate", rate, "--note", "it's $HOME; `x`", "--text", "${{inputs.x}}", "--epochs", 3, "--empty", ""],
        compute_target="cpu-cluster",
        source_directory="src",
        params={"depth": rate, "fixed": 7},
    )
    found = drawn(ws, step)
    node = found["jobs"]["Train_the_model"]
    assert node["display_name"] == "Train the model"
    assert node["compute"] == "azureml:cpu-cluster"
    assert found["inputs"] == {"learning_rate": {"type": "number", "default": 0.1}}
    component = node["component"]
    assert component["command"] == (
        "python3 train.py --rate ${{inputs.learning_rate}} --note 'it'\"'\"'s $HOME; `x`' "
        "--text ${{inputs.argument_1}} --epochs 3 --empty ''"
    )
    assert component["inputs"]["argument_1"] == {"type": "string", "default": "\\${{inputs.x}}"}
    assert component["environment_variables"] == {
        "PYTHONPATH": "_tidemill",
        "AML_PARAMETER_depth": "${{inputs.learning_rate}}",
        "AML_PARAMETER_fixed": "7",
    }
    assert node["inputs"] == {"learning_rate": "${{parent.inputs.learning_rate}}"}
    assert "is_deterministic" not in component


def test_outputs_bind_steps_and_the_last_step_brings_those_before_it(ws: Workspace) -> None:
    store = ws.get_default_datastore()
    raw = DataReference(store, "raw", "in/rows.csv")
    rows, model = PipelineData("rows", store), PipelineData("model", store, pipeline_output_name="final")
    PythonScriptStep(
        "prep.py", "prep", ["--in", raw, "--out", rows], inputs=[raw], outputs=[rows], source_directory="src"
    )
    train = PythonScriptStep(
        "train.py",
        "train",
        ["--in", rows, "--model", model],
        inputs=[rows.as_download()],
        outputs=[model],
        source_directory="src",
    )
    (Path(ws._folder) / "workspaceblobstore/in").mkdir(parents=True)
    (Path(ws._folder) / "workspaceblobstore/in/rows.csv").write_text("a")
    found = drawn(ws, train)
    assert list(found["jobs"]) == ["prep", "train"]
    assert found["outputs"] == {"final": {"type": "uri_folder"}}
    assert found["jobs"]["train"]["inputs"] == {"rows": "${{parent.jobs.prep.outputs.rows}}"}
    assert found["jobs"]["train"]["outputs"] == {"model": "${{parent.outputs.final}}"}
    assert found["jobs"]["train"]["component"]["inputs"] == {"rows": {"type": "uri_folder", "mode": "download"}}
    assert found["jobs"]["prep"]["inputs"]["raw"] == {
        "type": "uri_file",
        "path": str(ws._folder / "workspaceblobstore/in/rows.csv"),
    }


def test_a_file_output_says_that_it_is_one(ws: Workspace) -> None:
    out = PipelineData("scores", is_directory=False)
    step = PythonScriptStep("score.py", arguments=[f"--out={out}"], outputs=[out], source_directory="src")
    component = job(ws, step)["component"]
    assert component["outputs"] == {"scores": {"type": "uri_file"}}
    assert component["command"] == "python3 score.py --out=${{outputs.scores}}"


def test_order_without_data(ws: Workspace) -> None:
    a, b, c = (CommandStep("true", name) for name in "abc")
    a.run_after(b)
    assert drawn(ws, a)["jobs"]["a"]["depends_on"] == ["b"]
    x, y, z = (CommandStep("true", name) for name in "xyz")
    found = drawn(ws, StepSequence([x, [y, c], z]))["jobs"]
    assert found["y"]["depends_on"] == ["x"]
    assert found["z"]["depends_on"] == ["y", "c"]
    b.run_after(a)
    with pytest.raises(UserErrorException, match="needs itself"):
        drawn(ws, a)


def test_steps_of_one_name_are_told_apart(ws: Workspace) -> None:
    assert list(drawn(ws, CommandStep("true", "a b"), CommandStep("true", "a_b"))["jobs"]) == ["a_b", "a_b_2"]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda data: PythonScriptStep("train.py", arguments=[data], source_directory="src"), "neither in its inputs"),
        (lambda data: PythonScriptStep("train.py", inputs=[data], source_directory="src"), "no step writes"),
        (lambda _: PythonScriptStep("nothing.py", source_directory="src"), "there is no file `nothing.py`"),
        (lambda _: PythonScriptStep("train.py", source_directory="nowhere"), "no source directory"),
        (lambda _: PythonScriptStep("train.py", arguments=[["a"]], source_directory="src"), "is an argument"),
        (lambda _: PythonScriptStep("train.py", inputs=["text"], source_directory="src"), "cannot be an input"),
        (lambda _: PythonScriptStep("train.py", outputs=["text"], source_directory="src"), "cannot be an output"),
    ],
)
def test_a_wrong_step_is_an_error_that_says_why(ws: Workspace, make: object, says: str) -> None:
    with pytest.raises(UserErrorException, match=says):
        drawn(ws, make(PipelineData("data")))  # type: ignore[operator]


def test_two_steps_cannot_write_one_output(ws: Workspace) -> None:
    data = PipelineData("data")
    PythonScriptStep("prep.py", outputs=[data], source_directory="src")
    with pytest.raises(UserErrorException, match="is written by the steps"):
        PythonScriptStep("train.py", outputs=[data], source_directory="src")


def test_reuse_environment_variables_time_and_machines_are_said(ws: Workspace) -> None:
    config = RunConfiguration(
        conda_dependencies=CondaDependencies.create(pip_packages=["azureml-defaults", "pandas<3"])
    )
    config.environment.docker.enabled = True
    config.environment.docker.base_image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
    config.environment_variables = {"A": "1", "PYTHONPATH": "lib"}
    config.max_run_duration_seconds = 60
    config.target = "gpu"
    found = job(
        ws, PythonScriptStep("train.py", runconfig=config, source_directory="src", allow_reuse=False, version="2")
    )
    assert found["component"]["is_deterministic"] is False
    assert found["component"]["environment_variables"] == {
        "A": "1",
        "PYTHONPATH": "_tidemill:lib",
        "AZUREML_STEP_VERSION": "2",
    }
    assert found["environment"] == {"name": "project", "conda_file": {"dependencies": [{"pip": ["pandas<3"]}]}}
    assert (found["timeout"], found["compute"]) == ("60s", "azureml:gpu")
    plain = job(ws, PythonScriptStep("train.py", runconfig=RunConfiguration(), source_directory="src"))
    assert "environment" not in plain
    assert "compute" not in plain


def test_environments_are_packages_images_or_names(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text("dependencies: [python=3.11]\n")
    (tmp_path / "requirements.txt").write_text("# some\npandas\n\nnumpy<3\n")
    conda = Environment.from_conda_specification("a", "conda.yml")
    assert conda._rendered() == {"name": "a", "conda_file": str(tmp_path / "conda.yml")}
    with pytest.raises(NotSupportedError, match="changing what a conda file says"):
        conda.python.conda_dependencies.add_pip_package("x")  # type: ignore[union-attr]
    pip = Environment.from_pip_requirements("b", "requirements.txt")
    assert pip._rendered() == {"name": "b", "conda_file": {"dependencies": [{"pip": ["pandas", "numpy<3"]}]}}
    image = Environment.from_docker_image("c", "example.org/image:1")
    assert image._rendered() == {"name": "c", "image": "example.org/image:1"}
    packages = CondaDependencies.create(conda_packages=["scikit-learn=1.5", "pip"], python_version="3.10")
    packages.add_conda_package("numpy")
    packages.remove_conda_package("numpy")
    assert packages._rendered() == {"dependencies": ["python=3.10", "scikit-learn=1.5"]}
    assert packages.serialize_to_string() == "dependencies:\n- python=3.10\n- scikit-learn=1.5\n- pip\n"
    managed = Environment("d")
    managed.python.conda_dependencies = packages
    managed.python.user_managed_dependencies = True
    assert managed._rendered() is None


def test_datasets_are_inputs_in_their_modes(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    store = ws.get_default_datastore()
    store.upload_files(["rows.csv"], target_path="in", show_progress=False)
    table = Dataset.Tabular.from_delimited_files(path=(store, "in/rows.csv"), separator=";")
    files = Dataset.File.from_files([(store, "in/rows.csv")])
    one, two = table.as_named_input("table"), files.as_named_input("files").as_download()
    found = job(ws, PythonScriptStep("train.py", arguments=["--files", two], inputs=[one], source_directory="src"))
    assert found["component"]["inputs"] == {
        "table": {"type": "uri_file"},
        "files": {"type": "uri_folder", "mode": "download"},
    }
    assert '"separator": ";"' in found["component"]["environment_variables"]["AZUREML_STEP_TABLES"]
    gathered = Path(found["inputs"]["files"]["path"])
    assert [path.name for path in gathered.iterdir()] == ["rows.csv"]
    assert Dataset.File.from_files((store, "in/**"))._place() == str(gathered)
    web = Dataset.File.from_files("https://example.org/rows.csv").as_named_input("web").as_mount()
    found = job(ws, PythonScriptStep("train.py", arguments=[web], source_directory="src"))
    assert found["inputs"]["web"] == {"type": "uri_file", "path": "https://example.org/rows.csv"}


def test_outputs_as_datasets_are_registered_and_read_by_later_steps(ws: Workspace) -> None:
    out = OutputFileDatasetConfig().as_upload(overwrite=True).register_on_complete("prepared rows")
    prep = PythonScriptStep("prep.py", "prep", ["--out", out], source_directory="src")
    train = PythonScriptStep("train.py", "train", ["--in", out.as_input("rows").as_download()], source_directory="src")
    found = drawn(ws, prep, train)["jobs"]
    assert found["prep"]["outputs"] == {"output_1": {"type": "uri_folder", "name": "prepared-rows"}}
    assert found["train"]["inputs"] == {"rows": "${{parent.jobs.prep.outputs.output_1}}"}
    with pytest.raises(NotSupportedError, match="as a table"):
        out.read_delimited_files()


def test_what_a_step_writes_is_a_table_for_the_next(ws: Workspace) -> None:
    data = PipelineData("rows").as_dataset().register("kept")
    prep = PythonScriptStep("prep.py", "prep", ["--out", data], outputs=[data], source_directory="src")
    table = data.parse_delimited_files(separator="|").as_named_input("table")
    train = PythonScriptStep("train.py", "train", inputs=[table], source_directory="src")
    found = drawn(ws, prep, train)["jobs"]
    assert found["prep"]["outputs"] == {"rows": {"type": "uri_folder", "name": "kept"}}
    assert found["train"]["inputs"] == {"table": "${{parent.jobs.prep.outputs.rows}}"}
    assert '"separator": "|"' in found["train"]["component"]["environment_variables"]["AZUREML_STEP_TABLES"]


def test_a_path_may_be_a_parameter(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    store = ws.get_default_datastore()
    path = DataPath(store, "in", "data")
    parameter = PipelineParameter("data", path)
    pair = (parameter, DataPathComputeBinding("download"))
    step = PythonScriptStep("train.py", arguments=["--data", pair], inputs=[pair], source_directory="src")
    found = drawn(ws, step)
    assert found["inputs"]["data"] == {"type": "uri_folder", "path": str(ws._folder / "workspaceblobstore/in")}
    assert found["jobs"]["train_py"]["inputs"] == {"data": "${{parent.inputs.data}}"}
    assert found["jobs"]["train_py"]["component"]["command"] == "python3 train.py --data ${{inputs.data}}"


def test_a_datastore_may_be_an_address(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "tidemill.toml").write_text('[datastores]\nlake = "s3://lake"\nhere = "files"\n')
    lake = ws.datastores["lake"]
    assert lake.path("a/b.csv")._place() == "azureml://datastores/lake/paths/a/b.csv"
    with pytest.raises(NotSupportedError, match="it is an address"):
        lake.upload("src")
    assert ws.datastores["here"].path("a")._place() == str(tmp_path / "files/a")
    with pytest.raises(UserErrorException, match="leads out"):
        ws.datastores["here"].path("../x")._place()
    with pytest.raises(NotSupportedError, match=r"tidemill\.toml"):
        type(lake).register_azure_blob_container(ws, "x", "y", "z", account_key="k")


def test_a_command_is_a_step(ws: Workspace) -> None:
    data = PipelineData("rows")
    make = CommandStep(["head -n 3 /etc/hostname >", data], "make", outputs=[data])
    use = CommandStep(f"wc -l {data}/* && echo done", "use", inputs=[data])
    found = drawn(ws, make, use)["jobs"]
    assert found["make"]["component"]["command"] == "head -n 3 /etc/hostname > ${{outputs.rows}}"
    assert found["use"]["component"]["command"] == "wc -l ${{inputs.rows}}/* && echo done"


def test_processes_on_several_machines(ws: Workspace) -> None:
    found = job(ws, MpiStep("mpi", "src", "train.py", node_count=2, process_count_per_node=3))
    assert found["distribution"] == {"type": "mpi", "process_count_per_instance": 3}
    assert found["resources"] == {"instance_count": 2}
    config = ScriptRunConfig("src", "train.py", ["--a", 1], distributed_job_config=PyTorchConfiguration("Nccl", 4, 2))
    found = job(ws, EstimatorStep("pytorch", config))
    assert found["distribution"] == {"type": "pytorch", "process_count_per_instance": 2}
    assert found["component"]["command"] == "python3 train.py --a 1"
    assert MpiConfiguration(2, 3).node_count == 3


def test_a_script_in_r(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "src/fit.R").write_text("1")
    assert job(ws, RScriptStep("fit.R", source_directory="src"))["component"]["command"] == "Rscript fit.R"
    with pytest.raises(NotSupportedError, match="cran_packages"):
        RScriptStep("fit.R", cran_packages=["x"])


def test_a_function_over_batches_is_a_parallel_node(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a")
    out = PipelineData("scores")
    config = ParallelRunConfig(
        environment=Environment.from_docker_image("e", "example.org/e:1"),
        entry_script="score.py",
        source_directory="src",
        error_threshold=10,
        output_action="append_row",
        append_row_file_name="all.txt",
        compute_target="cpu",
        node_count=PipelineParameter("nodes", 2),
        process_count_per_node=2,
        mini_batch_size="5",
        run_invocation_timeout=600,
        run_max_try=4,
        allowed_failed_count=1,
        environment_variables={"A": "1"},
    )
    data = Dataset.File.from_files("rows.csv").as_named_input("rows")
    step = ParallelRunStep("batch-scoring", config, [data], out, arguments=["--x", 1], allow_reuse=False)
    with pytest.warns(UserWarning, match="`nodes` is a setting"):
        found = drawn(ws, step)
    assert "inputs" not in found
    node = found["jobs"]["batch_scoring"]
    assert node["type"] == "parallel"
    assert node["task"]["append_row_to"] == "${{outputs.scores}}"
    assert node["task"]["program_arguments"] == "--x 1 --append_row_file_name all.txt"
    assert node["task"]["environment"] == {"name": "e", "image": "example.org/e:1"}
    assert node["input_data"] == "${{inputs.rows}}"
    assert node["mini_batch_size"] == "5"
    assert node["retry_settings"] == {"max_retries": 3, "timeout": 600}
    assert node["resources"] == {"instance_count": 2}
    assert (node["max_concurrency_per_instance"], node["mini_batch_error_threshold"], node["error_threshold"]) == (
        2,
        1,
        10,
    )
    assert node["cache"] is False
    with pytest.raises(UserErrorException, match="3 to 32"):
        ParallelRunStep("No", config, [data], out)


def test_a_search_is_a_sweep_node(ws: Workspace) -> None:
    config = HyperDriveConfig(
        RandomParameterSampling({"--learning_rate": uniform(0.1, 1), "depth": choice(1, 2, 3)}),
        "accuracy",
        PrimaryMetricGoal.MAXIMIZE,
        max_total_runs=8,
        max_concurrent_runs=2,
        policy=BanditPolicy(evaluation_interval=2, slack_factor=0.1),
        run_config=ScriptRunConfig("src", "train.py", ["--a", "b"], compute_target="gpu"),
    )
    model = PipelineData("model")
    node = job(ws, HyperDriveStep("search", config, ["--model", model], outputs=[model]))
    assert node["type"] == "sweep"
    assert node["trial"] == {
        "command": "python3 train.py --model ${{outputs.model}} --learning_rate ${{search_space.learning_rate}} "
        "--depth ${{search_space.depth}}"
    }
    assert node["search_space"] == {
        "learning_rate": {"type": "uniform", "min_value": 0.1, "max_value": 1},
        "depth": {"type": "choice", "values": [1, 2, 3]},
    }
    assert node["objective"] == {"goal": "maximize", "primary_metric": "accuracy"}
    assert node["limits"] == {"max_total_trials": 8, "timeout": 604800, "max_concurrent_trials": 2}
    assert node["early_termination"] == {
        "type": "bandit",
        "slack_factor": 0.1,
        "evaluation_interval": 2,
        "delay_evaluation": 0,
    }
    assert node["compute"] == "azureml:gpu"
    with pytest.raises(UserErrorException, match="made of choices"):
        GridParameterSampling({"a": uniform(0, 1)})
    with pytest.raises(UserErrorException, match="is no space"):
        BayesianParameterSampling({"a": 1})


def test_spark_is_a_node_of_its_kind(ws: Workspace) -> None:
    node = job(
        ws,
        SynapseSparkStep("train.py", "src", "spark-pool", "2g", 2, "4g", 3, 5, arguments=["--a", 1], conf={"x": "y"}),
    )
    assert (node["type"], node["entry"], node["args"]) == ("spark", {"file": "train.py"}, "--a 1")
    assert node["conf"]["spark.executor.instances"] == 5
    assert node["conf"]["x"] == "y"


@pytest.fixture
def kept(fake: Fake, ws: Workspace) -> dict[str, Datastore]:
    """The default datastore, a folder of this machine, and two that the coordinator keeps."""
    fake.replace("GET", "/api/v1/datastores", answer([{"name": "lake"}, {"name": "share"}]))
    return {"here": ws.get_default_datastore(), "lake": Datastore(ws, "lake"), "share": Datastore(ws, "share")}


def test_a_copy_is_tidemills_own_and_read_where_it_was_copied_from(ws: Workspace, kept: dict[str, Datastore]) -> None:
    raw = DataReference(kept["lake"], "raw", "in/2024")
    copy = DataTransferStep("Bring it", raw, DataReference(kept["share"], "kept", "out"), compute_target="adf")
    again = DataTransferStep("again", copy.get_output(), DataReference(kept["lake"], "twice", "copies"))
    first, second = copy.get_output(), again.get_output().as_download("second")
    use = CommandStep(["ls", first, second], "use", inputs=[first, second])
    found = drawn(ws, use)["jobs"]
    place = {"type": "uri_folder", "path": "azureml://datastores/lake/paths/in/2024"}
    assert found["Bring_it"] == {
        "display_name": "Bring it",
        "type": "copy",
        "destination": "azureml://datastores/share/paths/out",
        "inputs": {"source": place},
        "compute": "azureml:adf",
    }
    assert (found["again"]["inputs"], found["again"]["depends_on"]) == ({"source": place}, ["Bring_it"])
    assert found["use"]["inputs"] == {"kept": place, "second": place}
    assert found["use"]["depends_on"] == ["Bring_it", "again"]
    assert found["use"]["component"]["inputs"]["second"] == {"type": "uri_folder", "mode": "download"}


def test_a_copy_of_what_a_step_makes_is_read_from_that_step(ws: Workspace, kept: dict[str, Datastore]) -> None:
    made = PipelineData("rows", is_directory=False)
    prep = PythonScriptStep("prep.py", arguments=[made], outputs=[made], source_directory="src")
    copy = DataTransferStep("copy", made, DataReference(kept["lake"], "b", "out/"), None, "file", "directory")
    use = CommandStep(["cat", copy.get_output()], "use", inputs=[copy.get_output()])
    found = drawn(ws, use)["jobs"]
    assert list(found) == ["prep_py", "copy", "use"]
    rows = "${{parent.jobs.prep_py.outputs.rows}}"
    assert (found["copy"]["inputs"], found["copy"]["destination"]) == (
        {"source": rows},
        "azureml://datastores/lake/paths/out/rows",
    )
    assert (found["use"]["inputs"], found["use"]["depends_on"]) == ({"b": rows}, ["copy"])
    assert prep in use._before or prep in copy._before


@pytest.mark.parametrize(
    ("source", "target", "kinds", "said"),
    [
        ("lake", "here", (None, None), "which the coordinator does not know"),
        ("lake", "made", (None, None), "as the destination of a DataTransferStep"),
        ("lake", "share", ("directory", "file"), "the source of `copy` is a folder"),
        ("lake", "share", ("folder", None), "neither file nor directory"),
        ("lake", None, (None, None), "a source and a destination"),
    ],
)
def test_a_copy_that_cannot_be_made_says_why_and_what_works(
    kept: dict[str, Datastore], source: str, target: str | None, kinds: tuple[str | None, str | None], said: str
) -> None:
    places: dict[str | None, Any] = {name: DataReference(store, "x", "y") for name, store in kept.items()}
    places["made"] = PipelineData("made")
    with pytest.raises(UserErrorException, match=said):
        DataTransferStep("copy", places[source], places.get(target), None, *kinds)


def test_what_is_not_done_says_why_and_what_to_do_instead() -> None:
    with pytest.raises(NotSupportedError, match="no kind of step for Databricks") as raised:
        DatabricksStep("x", notebook_path="/a", existing_cluster_id="b")
    assert "CommandStep" in str(raised.value)
    with pytest.raises(NotSupportedError, match="shut down"):
        AdlaStep("x")
    with pytest.raises(NotSupportedError, match="path_on_compute"):
        PipelineData("x", output_path_on_compute="/mnt")
    assert issubclass(NotSupportedError, NotImplementedError)


def test_the_code_has_what_stands_in_for_azureml(ws: Workspace) -> None:
    rendered = Pipeline(ws, [PythonScriptStep("train.py", source_directory="src")])._drawn("x").render()
    (source,) = rendered.sources.values()
    assert "_tidemill/azureml/core/run.py" in source.extra
    assert source.path == Path("src").absolute()
