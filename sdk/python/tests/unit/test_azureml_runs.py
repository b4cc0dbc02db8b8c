"""Runs, published pipelines, schedules and names of the catalog in azureml's words, on a coordinator without a port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Answer, Fake, Request, answer
from tests.unit.azureml_steps import fake, ws
from tidemill.azureml import NotSupportedError
from tidemill.azureml.core import Environment, Experiment, Model, Run, Workspace
from tidemill.azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication
from tidemill.azureml.core.compute import AmlCompute, ComputeTarget, DatabricksCompute
from tidemill.azureml.core.conda_dependencies import CondaDependencies
from tidemill.azureml.exceptions import ActivityFailedException, ModelNotFoundException, UserErrorException
from tidemill.azureml.pipeline.core import (
    InputPortDef,
    Module,
    OutputPortDef,
    Pipeline,
    PipelineData,
    PipelineDraft,
    PipelineParameter,
    PipelineRun,
    PublishedPipeline,
    StepRun,
)
from tidemill.azureml.pipeline.steps import CommandStep, ModuleStep

__all__ = ["fake", "ws"]


def step_view(path: str, status: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "status": status, "target": "cpu", "display_name": path.replace("_", " "), **more}


def run_view(status: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": "r1",
        "status": status,
        "pipeline": "p",
        "display_name": "p",
        "experiment": "e",
        "submitted_by": "ada",
        "submitted_at": 0,
        "tags": {"a": "b", "tidemill.pipeline": "p:1"},
        "steps": {"total": len(steps)},
        "steps_list": steps,
        **more,
    }


@pytest.mark.parametrize(
    ("ours", "pipeline", "run"),
    [
        ("queued", "NotStarted", "NotStarted"),
        ("running", "Running", "Running"),
        ("cancelling", "Running", "Running"),
        ("succeeded", "Finished", "Completed"),
        ("failed", "Failed", "Failed"),
        ("cancelled", "Canceled", "Canceled"),
        ("aborted", "Failed", "Failed"),
    ],
)
def test_how_a_run_stands_is_said_in_azuremls_words(
    fake: Fake, ws: Workspace, ours: str, pipeline: str, run: str
) -> None:
    fake.on("GET", "/api/v1/runs/r1", answer(run_view(ours, [])))
    fake.on("GET", "/api/2.0/mlflow/runs/get", answer({"message": "no such run"}, 404))
    found = PipelineRun.get(ws, "r1")
    assert (found.get_status(), found.status, found.id) == (pipeline, run, "r1")
    assert found.tags == {"a": "b"}


def test_a_step_is_found_by_both_of_its_names(fake: Fake, ws: Workspace) -> None:
    steps = [step_view("Train_it", "reused", reused_from="r0/Train_it"), step_view("other", "skipped")]
    fake.on("GET", "/api/v1/runs/r1", answer(run_view("failed", steps)))
    fake.on("GET", "/api/2.0/mlflow/runs/get", answer({"message": "no such run"}, 404))
    run = PipelineRun.get(ws, "r1")
    for name in ("Train it", "Train_it"):
        (step,) = run.find_step_run(name)
        assert (step.id, step.get_status(), step.status) == ("r1.Train_it", "Finished", "Completed")
    assert step.properties == {"azureml.pipelinerunid": "r1", "azureml.reusedrunid": "r0/Train_it"}
    assert step.parent == run
    assert [child.get_status() for child in run.get_children()] == ["Finished", "Bypassed"]
    assert isinstance(Run.get(ws, "r1.other"), StepRun)
    with pytest.raises(UserErrorException, match="has no output `x`"):
        step.get_output_data("x")
    with pytest.raises(UserErrorException, match="the pipeline has no output"):
        run.get_pipeline_output("x")
    refusals: list[Callable[[], Any]] = [run.get_graph, lambda: run.log("a", 1), run.complete, run.start_logging]
    refusals += [run.take_snapshot, run.get_environment, lambda: Run.list_by_compute("cpu")]
    for refused in refusals:
        with pytest.raises(NotSupportedError):
            refused()


def test_a_reused_step_has_the_metrics_of_the_step_that_made_its_result(fake: Fake, ws: Workspace) -> None:
    steps = [step_view("train", "reused", reused_from="r0/fit"), step_view("other", "reused", reused_from="gone/fit")]
    fake.on("GET", "/api/v1/runs/r1", answer(run_view("succeeded", steps)))
    fake.on("GET", "/api/2.0/mlflow/runs/get", answer({"run": {"info": {"experiment_id": "7"}}}))
    metric = {"key": "rows", "value": 8, "timestamp": 1, "step": 0}
    made = {"info": {"run_id": "m1", "start_time": 1}, "data": {"metrics": [metric]}}

    def search(request: Request) -> Answer:
        is_maker = request.json["filter"] == "tags.`tidemill.run` = 'r0' AND tags.`tidemill.step` = 'fit'"
        return answer({"runs": [made] if is_maker else []})

    fake.on("POST", "/api/2.0/mlflow/runs/search", search)
    run = PipelineRun.get(ws, "r1")
    assert run.get_metrics(recursive=True) == {"train": {"rows": 8}, "other": {}}


def test_a_run_is_described_after_its_submission(fake: Fake, ws: Workspace) -> None:
    tags = {"a": "b", "azureml.property.built": "7", "tidemill.pipeline": "p:1"}
    fake.on("GET", "/api/v1/runs/r1", answer({**run_view("succeeded", []), "tags": tags}))
    fake.on("PATCH", "/api/v1/runs/r1", answer({**run_view("succeeded", []), "tags": tags, "description": "good"}))
    fake.on("GET", "/api/2.0/mlflow/runs/get", answer({"message": "no such run"}, 404))
    run = PipelineRun.get(ws, "r1")
    run.flush()
    run.clean()
    run.tag("reviewed")
    assert fake.requests[-1].json == {"tags": {"reviewed": ""}}
    run.remove_tags(["reviewed", "other"])
    assert fake.requests[-1].json == {"tags": {"reviewed": None, "other": None}}
    run.display_name = "the best"
    assert fake.requests[-1].json == {"display_name": "the best"}
    run.description = "good"
    assert (fake.requests[-1].json, run.description) == ({"description": "good"}, "good")
    run.add_properties({"built": 7})
    assert fake.requests[-1].json == {"tags": {"azureml.property.built": "7"}}
    assert (run.tags, run.properties) == ({"a": "b"}, {"built": "7"})


def test_a_pipeline_has_what_its_steps_logged_to_their_parent(fake: Fake, ws: Workspace) -> None:
    fake.on("GET", "/api/v1/runs/r1", answer(run_view("succeeded", [step_view("train", "succeeded")])))
    fake.on("GET", "/api/2.0/mlflow/runs/get", answer({"run": {"info": {"experiment_id": "7"}}}))
    metrics = [{"key": key, "value": 8, "timestamp": 1, "step": 0} for key in ("rows", "own")]
    tags = {
        "azureml.parent.metric.rows": "yes",
        "azureml.parent.azureml.text.kind": "tree",
        "azureml.text.kind": "tree",
        "azureml.parent.stage": "done",
        "azureml.parent.azureml.property.built": "7",
        "mlflow.note.content": "a note",
    }
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    made = {"info": {"run_id": "m1", "start_time": 1}, "data": {"metrics": metrics, "tags": listed}}
    fake.on("POST", "/api/2.0/mlflow/runs/search", answer({"runs": [made]}))
    fake.on("POST", "/api/2.0/mlflow/runs/delete-tag", answer({}))
    run = PipelineRun.get(ws, "r1")
    assert run.get_metrics() == {"rows": 8, "kind": "tree"}
    assert (run.tags, run.properties) == ({"a": "b", "stage": "done"}, {"built": "7"})
    (step,) = run.get_steps()
    assert step.get_metrics() == {"rows": 8, "own": 8, "kind": "tree"}
    assert (step.tags, step.description) == ({"a": "b"}, "a note")
    step.remove_tags("stage")
    assert fake.requests[-1].json == {"run_id": "m1", "key": "stage"}
    with pytest.raises(NotSupportedError, match="renaming a step"):
        step.display_name = "other"


def test_a_run_that_failed_says_what_its_step_said(fake: Fake, ws: Workspace) -> None:
    failure = {"reason": "exit_code", "message": "it ended with 1", "stderr_tail": "ValueError: no rows\n"}
    steps = [step_view("train", "failed", attempts=[{"attempt": 1, "status": "failed", "failure": failure}])]
    fake.on("GET", "/api/v1/runs/r1", answer(run_view("failed", steps)))
    event = {"sequence": 1, "at": 0, "run": "r1", "event": "ended", "run_status": "failed"}
    fake.on("GET", "/api/v1/runs/r1/events", answer(f"data: {__import__('json').dumps(event)}\n\n".encode()))
    run = PipelineRun.get(ws, "r1")
    with pytest.raises(ActivityFailedException, match="it ended with 1\nValueError: no rows"):
        run.wait_for_completion(show_output=False)
    assert run.wait_for_completion(show_output=False, raise_on_error=False) == "Failed"
    with pytest.raises(ActivityFailedException, match="no rows"):
        run.find_step_run("train")[0].wait_for_completion(show_output=False)


def test_what_steps_logged_is_read_back_in_azuremls_shapes(fake: Fake, ws: Workspace) -> None:
    fake.on("GET", "/api/v1/runs/r1", answer(run_view("succeeded", [step_view("train", "succeeded")])))
    metrics = [
        {"key": "loss", "value": 0.1, "timestamp": 2, "step": 1},
        {"key": "rows", "value": 8, "timestamp": 1, "step": 0},
    ]
    tags = [
        {"key": "tidemill.step", "value": "train"},
        {"key": "state", "value": "good"},
        {"key": "azureml.text.kind", "value": "tree"},
        {"key": "azureml.property.build", "value": "7"},
    ]
    tracked = {"info": {"run_id": "m1", "start_time": 1}, "data": {"metrics": metrics, "tags": tags}}
    fake.on("GET", "/api/2.0/mlflow/runs/get", answer({"run": {"info": {"experiment_id": "7"}}}))
    fake.on("POST", "/api/2.0/mlflow/runs/search", answer({"runs": [tracked]}))
    history = [{"value": 0.1, "timestamp": 2, "step": 1}, {"value": 0.5, "timestamp": 1, "step": 0}]
    fake.on("GET", "/api/2.0/mlflow/metrics/get-history", answer({"metrics": history}))
    fake.on("POST", "/api/2.0/mlflow/runs/set-tag", answer({}))
    step = PipelineRun.get(ws, "r1").find_step_run("train")[0]
    assert step.get_metrics() == {"loss": [0.5, 0.1], "rows": 8, "kind": "tree"}
    assert step.get_metrics("rows") == {"rows": 8}
    assert PipelineRun.get(ws, "r1").get_metrics(recursive=True) == {"train": step.get_metrics()}
    assert step.tags == {"a": "b", "state": "good"}
    assert step.properties == {"build": "7", "azureml.pipelinerunid": "r1"}
    step.add_properties({"checked": True})
    assert fake.requests[-1].json == {"run_id": "m1", "key": "azureml.property.checked", "value": "True"}
    step.tag("reviewed", "yes")
    assert fake.requests[-1].json == {"run_id": "m1", "key": "reviewed", "value": "yes"}


def test_a_published_pipeline_is_a_version_with_an_address(fake: Fake, ws: Workspace) -> None:
    version = {
        "kind": "pipeline",
        "name": "Rows-to-model",
        "version": "3",
        "stage": "active",
        "description": "d",
        "tags": {"azureml.version": "1.0"},
        "body": {"pipeline": {"spec": {}}},
    }
    asset = {"kind": "pipeline", "name": "Rows-to-model", "labels": {"default": "3"}}
    fake.on("GET", "/api/v1/assets/pipeline/Rows-to-model", answer(asset))
    fake.on("GET", "/api/v1/assets/pipeline/Rows-to-model/versions/3", answer(version))
    fake.on("PATCH", "/api/v1/assets/pipeline/Rows-to-model/versions/3", answer({**version, "stage": "disabled"}))
    fake.on("POST", "/api/v1/pipelines/Rows-to-model/runs", answer(run_view("queued", [])))
    found = PublishedPipeline.get(ws, "Rows-to-model:3")
    assert (found.id, found.version, found.status) == ("Rows-to-model:3", "1.0", "Active")
    assert found.endpoint == "http://127.0.0.1:1/azureml/v1.0/PipelineRuns/PipelineSubmit/Rows-to-model:3"
    run = Experiment(ws, "My experiment").submit(found, pipeline_parameters={"rate of learning": 0.1, "flag": True})
    assert run.id == "r1"
    body = fake.requests[-1].json
    assert (body["parameters"], body["experiment"]) == ({"rate_of_learning": "0.1", "flag": "True"}, "My-experiment")
    assert fake.requests[-1].path.endswith("?version=3")
    found.submit(ws, "e", continue_on_step_failure=True)
    assert fake.requests[-1].json["continue_on_step_failure"] is True
    found.disable()
    assert found.status == "Disabled"
    with pytest.raises(NotSupportedError, match="parent_run_id"):
        found.submit(ws, "e", parent_run_id="x")


def test_a_compute_target_is_a_name(fake: Fake, ws: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    fake.on("GET", "/api/v1/workers", answer([{"id": "w", "targets": [{"name": "gpu", "compute_type": "gpu"}]}]))
    fake.on("GET", "/api/v1/queues", answer([{"target": "gpu"}]))
    made = ComputeTarget.create(ws, "gpu", AmlCompute.provisioning_configuration(vm_size="STANDARD_NC6", max_nodes=4))
    made.wait_for_completion(show_output=True)
    assert "gpu: 1 workers" in capsys.readouterr().out
    assert made.get_status().current_node_count == 1
    assert list(ws.compute_targets) == ["gpu"]
    configuration = DatabricksCompute.attach_configuration(resource_group="a", access_token="b")
    assert ComputeTarget.attach(ws, "bricks", configuration).name == "bricks"
    with pytest.raises(NotSupportedError, match="stopped where they run"):
        made.delete()


def test_who_asks_is_whoever_tidemills_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TIDEMILL_TOKEN", "tm_x")
    assert InteractiveLoginAuthentication().get_authentication_header() == {"Authorization": "Bearer tm_x"}
    principal = ServicePrincipalAuthentication("tenant", "id", "password")
    assert "password" not in str(vars(principal))


def test_a_workspace_has_the_name_that_azuremls_file_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_URL", "http://127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    assert Workspace.from_config().name == "tidemill"
    Workspace("sub", "group", "mine").write_config()
    (tmp_path / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/er")
    found = Workspace.from_config()
    assert (found.name, found.resource_group, found.subscription_id) == ("mine", "group", "sub")
    with pytest.raises(UserErrorException, match="there is no"):
        Workspace.from_config(path=str(tmp_path / "deep/er/none.json"))
    with pytest.raises(NotSupportedError, match="secrets are given to steps only"):
        found.get_default_keyvault()


def test_environments_and_models_are_those_of_the_catalog(fake: Fake, ws: Workspace) -> None:
    body = {"environment": {"name": "mine", "image": None, "python": {"version": "3.11", "requirements": ["pandas"]}}}
    version = {"kind": "environment", "name": "mine", "version": "1", "body": body, "stage": "active", "tags": {}}
    fake.on("POST", "/api/v1/assets/environment/mine/versions", answer(version))
    fake.on("GET", "/api/v1/assets/environment/mine/versions/latest", answer(version))
    fake.on("GET", "/api/v1/assets/environment/AzureML-sklearn/versions/latest", answer({"message": "no"}, status=404))
    fake.on("GET", "/api/v1/assets/model/churn/versions/latest", answer({"message": "no"}, status=404))
    made = Environment("mine")
    made.python.conda_dependencies = CondaDependencies.create(
        pip_packages=["azureml-defaults", "pandas"], conda_packages=["numpy=1.26"], python_version="3.11"
    )
    assert made.register(ws).version == "1"
    assert fake.requests[-1].json["source"]["environment"]["python"] == {
        "version": "3.11",
        "requirements": ["numpy==1.26.*", "pandas"],
    }
    assert Environment.get(ws, "mine")._rendered() == {
        "name": "mine",
        "conda_file": {"dependencies": ["python=3.11", {"pip": ["pandas"]}]},
    }
    assert Environment.get(ws, "AzureML-sklearn")._rendered() == "azureml:AzureML-sklearn@latest"
    with pytest.raises(ModelNotFoundException):
        Model(ws, "churn")
    with pytest.raises(NotSupportedError, match="services"):
        Model.deploy(ws, "x", [])


def test_a_module_is_a_component_with_versions(fake: Fake, ws: Workspace) -> None:
    fake.on("GET", "/api/v1/assets/component/prep", answer({"message": "no"}, status=404))
    fake.on(
        "POST",
        "/api/v1/pipelines/load",
        answer({"needs": [], "spec": {"root": 1, "components": [{"body": {"command": {}}}, {"body": {"graph": {}}}]}}),
    )

    def add(request: Any) -> Any:
        return answer(
            {**request.json, "kind": "component", "name": "prep", "version": "1", "stage": "active", "body": {}}
        )

    fake.on("POST", "/api/v1/assets/component/prep/versions", add)
    module = Module.create(ws, "prep", "prepares")
    rows, out, rate = InputPortDef("rows"), OutputPortDef("out"), PipelineParameter("rate", 0.1)
    version = module.publish_python_script(
        "prep.py",
        "first",
        [rows],
        [out],
        {"rate": rate},
        source_directory="src",
        arguments=["--in", rows, "--out", out, rate],
    )
    loaded = __import__("json").loads(
        next(r for r in fake.requests if r.path.endswith("load")).json["texts"][0]["text"]
    )
    (job,) = loaded["component"]["jobs"].values()
    assert (
        job["component"]["command"] == "python3 prep.py --in ${{inputs.rows}} --out ${{outputs.out}} ${{inputs.rate}}"
    )
    assert job["component"]["inputs"]["rate"] == {"type": "number", "default": 0.1}
    data, made = PipelineData("data"), PipelineData("made", pipeline_output_name="final")
    write = CommandStep(["ls >", data], "write", outputs=[data])
    step = ModuleStep(
        module_version=version,
        inputs_map={"rows": data},
        outputs_map={"out": made},
        params={"rate": 0.5},
        compute_target="gpu",
    )
    found = Pipeline(ws, [step])._drawn("x").to_dict()["jobs"]["prep"]
    assert found == {
        "display_name": "prep",
        "component": "azureml:prep:1",
        "inputs": {"rows": "${{parent.jobs.write.outputs.data}}", "rate": 0.5},
        "outputs": {"out": "${{parent.outputs.final}}"},
        "compute": "azureml:gpu",
    }
    assert write in Pipeline(ws, [step])._steps
    with pytest.raises(UserErrorException, match="no input `other`"):
        ModuleStep(module_version=version, inputs_map={"other": data})


def draft_view(revision: int = 1, **draft: Any) -> dict[str, Any]:
    return {"name": "draft", "created_by": "ada", "revision": revision, "draft": {"pipeline": {}, **draft}}


def test_a_draft_is_kept_by_the_coordinator(fake: Fake, ws: Workspace) -> None:
    pipeline = Pipeline(ws, [CommandStep("true", "a")])
    view = draft_view(experiment="e", tags={"a": "b"}, parameters={"n": "1"})
    loaded = {"needs": [], "spec": {"name": "draft"}, "parameters": {}, "warnings": []}
    fake.on("POST", "/api/v1/pipelines/load", answer(loaded))
    fake.on("PUT", "/api/v1/drafts/draft", answer(view))
    fake.on("GET", "/api/v1/drafts/draft", answer(view))
    fake.on("GET", "/api/v1/drafts", answer([view]))
    fake.on("PATCH", "/api/v1/drafts/draft", answer(draft_view(2, experiment="e", tags={"c": "d"})))
    fake.on("POST", "/api/v1/drafts/draft/runs", answer(run_view("queued", []), 201))
    fake.on("DELETE", "/api/v1/drafts/draft", answer(None, 204))
    draft = PipelineDraft.create(
        ws, pipeline, "draft", experiment_name="e", pipeline_parameters={"n": 1}, tags={"a": "b"}
    )
    put = fake.requests[-1]
    assert put.headers["if-none-match"] == "*"
    assert (put.json["parameters"], put.json["experiment"], put.json["tags"]) == ({"n": "1"}, "e", {"a": "b"})
    assert "pipeline" in put.json["source"]
    assert PipelineDraft.get(ws, draft.id).tags == {"a": "b"}
    assert [found.id for found in PipelineDraft.list(ws, tags={"a": "b"})] == ["draft"]
    assert PipelineDraft.list(ws, tags={"a": "c"}) == []
    draft.update(tags={"c": "d"}, pipeline_parameters={"m": 2})
    patch = fake.requests[-1]
    assert patch.headers["if-match"] == '"1"'
    assert patch.json == {"parameters": {"m": "2", "n": None}, "tags": {"a": None, "c": "d"}}
    assert draft.tags == {"c": "d"}
    assert draft.submit_run().id == "r1"
    draft.delete()
    with pytest.raises(NotSupportedError, match="renaming"):
        draft.update(name="other")
    with pytest.raises(NotSupportedError, match="a draft of a"):
        PipelineDraft.create(ws, "run")


def test_an_experiment_takes_only_what_can_run(ws: Workspace) -> None:
    with pytest.raises(NotSupportedError, match="submitting a str"):
        Experiment(ws, "e").submit("pipeline.yml")
    with pytest.raises(TypeError, match="regenerate"):
        Experiment(ws, "e").submit(Pipeline(ws, [CommandStep("true", "a")]), regenerate=True)
    with pytest.raises(NotSupportedError, match="an experiment is a name"):
        Experiment(ws, "e").archive()
