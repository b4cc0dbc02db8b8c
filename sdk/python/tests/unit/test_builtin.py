from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from tidemill import (
    InputFile,
    Output,
    OutputFile,
    ValidationError,
    command_step,
    copy_step,
    load_component,
    pipeline,
    register_model_step,
    step,
)


@step
def fit(
    rows: InputFile, *, model: Annotated[Path, Output("mlflow_model", name="churn", label="best")], scores: OutputFile
) -> None:
    """Fits."""


def jobs_of(function: Any) -> dict[str, Any]:
    jobs: dict[str, Any] = pipeline(function).draw().to_dict()["jobs"]
    return jobs


def test_a_named_output_is_named_at_the_step_and_declared_without_its_name() -> None:
    @pipeline
    def trained(rows: InputFile) -> Any:
        fitted = fit(rows)
        return {"model": fitted.outputs["model"], "scores": fitted.outputs["scores"].named("scores", version=3)}

    drawn = trained.draw().to_dict()
    job = drawn["jobs"]["fit"]
    assert job["component"]["outputs"] == {"model": {"type": "mlflow_model"}, "scores": {"type": "uri_file"}}
    assert job["outputs"] == {
        "model": {"name": "churn", "label": "best", "path": "${{parent.outputs.model}}"},
        "scores": {"name": "scores", "version": "3", "path": "${{parent.outputs.scores}}"},
    }
    assert drawn["outputs"] == {"model": {"type": "mlflow_model"}, "scores": {"type": "uri_file"}}


def test_what_is_said_at_the_step_wins_and_needs_no_declaration(tmp_path: Path) -> None:
    (tmp_path / "fit.yml").write_text("type: command\n")

    def both(rows: InputFile) -> None:
        fit(rows).outputs.model.named("other")
        load_component(tmp_path / "fit.yml", name="loaded")(rows=rows).outputs["model"].named("loaded")

    jobs = jobs_of(both)
    assert jobs["fit"]["outputs"] == {"model": {"name": "other"}}
    assert jobs["loaded"]["outputs"] == {"model": {"name": "loaded"}}


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"name": "-x"}, "a name has 1 to 128"),
        ({"name": "a b"}, "a name has 1 to 128"),
        ({"name": "a", "version": "v/1"}, "a version has 1 to 64"),
        ({"name": "a", "label": ""}, "a label has 1 to 64"),
        ({"version": 1}, "needs a name"),
        ({"name": "a", "label": "${{parent.inputs.month}}"}, "holds no parameter"),
    ],
)
def test_a_name_that_the_catalog_would_refuse_is_refused_where_it_is_written(given: Any, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        Output("uri_file", **given)


def test_an_output_has_one_name() -> None:
    @pipeline
    def twice(rows: InputFile) -> None:
        fitted = fit(rows)
        fitted.outputs.scores.named("a")
        fitted.outputs.scores.named("b")
        register_model_step("m")(fitted.outputs.model).outputs.model.named("n")

    with pytest.raises(ValidationError) as raised:
        twice.draw()
    assert [problem.path for problem in raised.value.problems] == ["fit.outputs.scores", "register_model.outputs.model"]
    assert all(problem.file == __file__ for problem in raised.value.problems)


def test_built_in_steps_stand_at_the_step() -> None:
    def delivered(rows: InputFile, month: str = "may") -> Any:
        fitted = fit(rows)
        register = register_model_step(
            "churn", model_type="mlflow_model", version=7, description="Who leaves", tags={"team": "crm"}
        )
        registered = register(fitted.outputs.model)
        copied = copy_step(f"azureml://datastores/lake/paths/{month}", name="deliver", retry=2)(registered)
        copy_step("s3://bucket/rows", deterministic=True).with_options(when="always")(source=Path("rows.csv")).after(
            copied
        )
        return {"report": copied}

    jobs = jobs_of(delivered)
    assert jobs["register_model"] == {
        "type": "register_model",
        "name": "churn",
        "version": "7",
        "model_type": "mlflow_model",
        "description": "Who leaves",
        "tags": {"team": "crm"},
        "inputs": {"model": "${{parent.jobs.fit.outputs.model}}"},
    }
    assert jobs["deliver"] == {
        "type": "copy",
        "destination": "azureml://datastores/lake/paths/${{parent.inputs.month}}",
        "inputs": {"source": "${{parent.jobs.register_model.outputs.model}}"},
        "outputs": {"report": "${{parent.outputs.report}}"},
        "retry": 2,
    }
    assert jobs["copy"] == {
        "type": "copy",
        "destination": "s3://bucket/rows",
        "is_deterministic": True,
        "inputs": {"source": {"path": str(Path("rows.csv").absolute())}},
        "depends_on": ["deliver"],
        "when": "always",
    }


@pytest.mark.parametrize("destination", ["out", "https://example.org/x", "${{parent.inputs.place}}", "", 3])
def test_a_copy_goes_to_a_datastore(destination: Any) -> None:
    with pytest.raises(ValidationError, match=r"nothing can be copied to .*\n.*azureml://datastores/NAME"):
        copy_step(destination)


def test_what_only_processes_take_is_refused_of_built_in_steps() -> None:
    with pytest.raises(ValidationError, match="takes no environment, secrets: a `copy` step starts no process"):
        jobs_of(lambda: copy_step("s3://b/x", environment="azureml:py:1").with_options(secrets={"A": "b"})("s3://b/y"))
    with pytest.raises(ValidationError, match="there are custom_model, mlflow_model, triton_model"):
        register_model_step("m", model_type="pickle")  # type: ignore[arg-type]


def test_what_is_copied_is_files() -> None:
    def literal() -> None:
        copy_step("s3://b/x")(3)

    with pytest.raises(ValidationError, match="it takes files"):
        jobs_of(literal)


def test_outputs_of_commands_are_named_in_their_declaration() -> None:
    def made() -> None:
        command_step("make ${{outputs.rows}}", outputs={"rows": Output("uri_file", name="rows", version=1)})()

    assert jobs_of(made)["make"]["outputs"] == {"rows": {"name": "rows", "version": "1"}}
