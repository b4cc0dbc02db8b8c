from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

import tidemill
from tidemill import (
    InputFile,
    InputFolder,
    OutputFile,
    OutputFolder,
    Param,
    ValidationError,
    command_step,
    load_component,
    pipeline,
    step,
)

GOLDEN = Path(__file__).parent.parent / "golden"


@step(compute="cpu", retry=2)
def split(
    rows: InputFile, ratio: Annotated[float, Param(min=0, max=1)] = 0.2, *, train: OutputFile, test: OutputFile
) -> None:
    lines = rows.read_text().splitlines()
    cut = int(len(lines) * ratio)
    test.write_text("\n".join(lines[:cut]))
    train.write_text("\n".join(lines[cut:]))


@step
def fit(
    data: InputFile, kind: Literal["tree", "line"] = "tree", seed: int | None = None, *, model: OutputFolder
) -> None:
    (model / "model.txt").write_text(f"{kind} {seed} {len(data.read_text())}")


score = command_step(
    "python score.py --model ${{inputs.model}} --out ${{outputs.scores}} --verbose ${{inputs.verbose}}",
    name="score",
    inputs={"model": "uri_folder", "verbose": False},
    outputs={"scores": "uri_file"},
)


@pipeline(compute="cpu", experiment="trials", tags={"team": "mill"})
def training(rows: InputFile, ratio: float = 0.25, label: str = "x") -> Any:
    """Splits, fits twice, scores."""
    parts = split(rows=rows, ratio=ratio)
    one = fit(parts.outputs.train)
    two = fit.with_options(name="fit_line", compute="gpu")(parts.outputs["train"], kind="line", seed=7)
    scored = score(model=one)
    score.with_options(environment_variables={"LABEL": f"run-{label}"}, when="always")(model=two).after(scored)
    return {"model": one, "scores": scored}


def test_a_pipeline_is_rendered_to_the_words_of_pipeline_files() -> None:
    rendered = json.loads(training.draw().to_json())
    golden = GOLDEN / "training.json"
    assert rendered == json.loads(golden.read_text()), (
        f"renew {golden} if this is meant:\n{json.dumps(rendered, indent=2)}"
    )


def test_drawing_reads_and_sends_nothing_and_happens_once() -> None:
    calls = []

    @pipeline
    def counted() -> None:
        calls.append(1)
        command_step("true")()

    assert (counted.draw().name, counted().name) == ("counted", "counted")
    assert calls == [1]


def test_a_step_is_an_ordinary_function_outside_of_a_pipeline(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("a\nb\nc\nd")
    split(rows, 0.5, train=tmp_path / "train", test=tmp_path / "test")
    assert (tmp_path / "test").read_text() == "a\nb"
    assert split.function.__name__ == "split"


def test_literals_travel_with_the_submission_and_files_stand_in_the_pipeline(tmp_path: Path) -> None:
    bound = training(tmp_path / "rows.csv", ratio=0.5)
    assert bound.values == {"ratio": 0.5}
    assert bound.to_dict()["inputs"]["rows"] == {"type": "uri_file", "path": str(tmp_path / "rows.csv")}
    assert training("azureml:rows:3").to_dict()["inputs"]["rows"]["path"] == "azureml:rows:3"
    assert training("https://example.org/r.csv").to_dict()["inputs"]["rows"]["path"] == "https://example.org/r.csv"


def test_a_pipeline_in_a_pipeline_is_a_step_with_steps_in_it() -> None:
    @pipeline
    def outer(rows: InputFile) -> Any:
        inner = training(rows=rows, label="y")
        return {"best": inner.outputs.model}

    job = outer.draw().to_dict()["jobs"]["training"]
    assert job["component"]["type"] == "pipeline"
    assert set(job["component"]["jobs"]) == {"split", "fit", "fit_line", "score", "score_2"}
    assert job["inputs"] == {"rows": "${{parent.inputs.rows}}", "label": "y"}
    assert job["outputs"] == {"model": "${{parent.outputs.best}}"}


def test_a_component_file_is_named_by_its_path_and_a_registered_one_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "train-model.yml"
    file.write_text("type: command\n")

    @pipeline
    def uses() -> Any:
        trained = load_component(file)(data=Path("x.csv"), rate=0.1)
        load_component("azureml:check:2")(model=trained.outputs["model"])

    jobs = uses.draw().to_dict()["jobs"]
    assert jobs["train-model"]["component"] == str(file)
    assert jobs["train-model"]["inputs"] == {"data": {"path": str(Path("x.csv").absolute())}, "rate": 0.1}
    assert jobs["check"] == {
        "component": "azureml:check:2",
        "inputs": {"model": "${{parent.jobs.train-model.outputs.model}}"},
    }
    with pytest.raises(tidemill.NotFoundError):
        load_component(tmp_path / "none.yml")


def test_every_mistake_of_a_call_is_reported_at_once_with_the_authors_line() -> None:
    @pipeline
    def wrong(rows: InputFile) -> None:
        fit(kinds="tree", model=rows)

    with pytest.raises(ValidationError) as raised:
        wrong.draw()
    told = [(problem.message, problem.line) for problem in raised.value.problems]
    line = wrong.function.__code__.co_firstlineno + 2
    assert told == [
        ("it has no input `kinds`", line),
        ("`model` is an output: the step is told where to write it", line),
        ("`data` was not given", line),
    ]
    assert all(problem.file == __file__ for problem in raised.value.problems)


def test_a_parameter_has_no_value_while_the_graph_is_drawn() -> None:
    @pipeline
    def looks(ratio: float = 0.5) -> None:
        if ratio:
            command_step("true")()

    with pytest.raises(ValidationError, match="has no value while") as raised:
        looks.draw()
    assert raised.value.problems[0].file == __file__


def test_what_no_pipeline_can_carry_is_refused_at_the_definition() -> None:
    with pytest.raises(ValidationError) as raised:

        @step
        def bad(frame: list, *rest: int, path: Path, where: InputFolder = Path()) -> None:  # type: ignore[type-arg]
            pass

    assert [problem.path.rsplit(".", 1)[1] for problem in raised.value.problems] == ["frame", "rest", "path", "where"]
    with pytest.raises(ValidationError, match="a pipeline returns its outputs"):

        @pipeline
        def writes(model: OutputFile) -> None:
            pass


def test_a_pipeline_without_steps_and_outputs_that_are_none_are_refused() -> None:
    @pipeline
    def empty() -> Any:
        return {"model": 3}

    with pytest.raises(ValidationError) as raised:
        empty.draw()
    assert [problem.code for problem in raised.value.problems] == ["bad_return", "no_steps"]


def test_a_step_of_another_pipeline_cannot_be_read_from() -> None:
    kept: list[Any] = []

    @pipeline
    def first() -> None:
        kept.append(score(model="azureml:m:1"))

    @pipeline
    def second() -> None:
        score(model=kept[0])

    first.draw()
    with pytest.raises(ValidationError) as raised:
        second.draw()
    assert "another pipeline" in raised.value.problems[0].message
    with pytest.raises(ValidationError, match="outside of a pipeline"):
        score(model="azureml:m:1")


def test_an_unknown_output_is_named_with_those_that_are_there() -> None:
    @pipeline
    def wrong(rows: InputFile) -> None:
        fit(split(rows).outputs.trian)

    with pytest.raises(ValidationError, match="it has train, test"):
        wrong.draw()
