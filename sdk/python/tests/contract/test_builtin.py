"""Outputs with names and steps that tidemill does itself, drawn in Python: they are what the same YAML is, and they do what it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tidemill
from tidemill import InputFile, Output, command_step, copy_step, load_component, pipeline, register_model_step

YAML = """
type: pipeline
name: delivering
description: Trains, registers, delivers.
inputs:
  rows: {type: uri_file, path: rows.csv}
  month: {type: string, default: may}
outputs:
  rows: {type: uri_file}
  report: {type: uri_file}
jobs:
  clean:
    component:
      type: command
      inputs: {rows: {type: uri_file}}
      outputs: {rows: {type: uri_file}, model: {type: custom_model}}
      command: |
        sort -r ${{inputs.rows}} > ${{outputs.rows}}
        echo trained > ${{outputs.model}}/weights
    inputs: {rows: "${{parent.inputs.rows}}"}
    outputs: {rows: {path: "${{parent.outputs.rows}}", name: clean-rows, label: newest}}
  count:
    component: ./count.yml
    inputs: {rows: "${{parent.jobs.clean.outputs.rows}}"}
    outputs: {total: {name: total, version: "2024"}}
  register:
    type: register_model
    name: churn
    label: candidate
    model_type: custom_model
    description: Who leaves
    tags: {team: crm}
    inputs: {model: "${{parent.jobs.clean.outputs.model}}"}
  copy:
    type: copy
    destination: azureml://datastores/lake/paths/models/${{parent.inputs.month}}
    is_deterministic: true
    inputs: {source: "${{parent.jobs.register.outputs.model}}"}
    outputs: {report: "${{parent.outputs.report}}"}
    retry: 1
  keep:
    type: copy
    destination: azureml://datastores/lake/paths/rows.csv
    inputs: {source: {path: rows.csv}}
    depends_on: [copy]
"""

clean = command_step(
    "sort -r ${{inputs.rows}} > ${{outputs.rows}}\necho trained > ${{outputs.model}}/weights\n",
    name="clean",
    inputs={"rows": "uri_file"},
    outputs={"rows": Output("uri_file", name="clean-rows", label="newest"), "model": "custom_model"},
)


def delivering(project: Path) -> Any:
    @pipeline(name="delivering")
    def drawn(rows: InputFile, month: str = "may") -> Any:
        """Trains, registers, delivers."""
        cleaned = clean(rows)
        count = load_component(project / "count.yml")(rows=cleaned.outputs["rows"])
        count.outputs["total"].named("total", version=2024)
        register = register_model_step(
            "churn", label="candidate", description="Who leaves", tags={"team": "crm"}, name="register"
        )
        lake = "azureml://datastores/lake/paths"
        copied = copy_step(f"{lake}/models/{month}", deterministic=True, retry=1)(register(cleaned.outputs["model"]))
        copy_step(f"{lake}/rows.csv", name="keep")(project / "rows.csv").after(copied)
        return {"rows": cleaned.outputs["rows"], "report": copied}

    return drawn(project / "rows.csv")


def test_a_pipeline_that_registers_and_copies_is_what_it_is_in_yaml(server: tidemill.Local, project: Path) -> None:
    server.datastores.create("lake", (project / "lake").as_uri(), replace=True)
    (project / "delivering.yml").write_text(YAML)
    written = server._load(project / "delivering.yml", None).spec
    drawn = server._load(delivering(project), None).spec
    assert drawn == written
    one, other = (server.plan(what) for what in (delivering(project), project / "delivering.yml"))
    assert one.steps == other.steps


def test_outputs_get_their_names_the_model_its_version_and_the_lake_its_copy(
    server: tidemill.Local, project: Path
) -> None:
    lake = project / "lake"
    lake.mkdir()
    server.datastores.create("lake", lake.as_uri(), replace=True)
    run = server.submit(delivering(project), {"month": "june"}).wait(timeout=120)
    rows = server.data.get("clean-rows", "newest")
    assert rows.artifact.read_text() == "d\nc\nb\na\n"
    assert rows.origin == {"run": run.id, "step": "clean", "output": "rows"}
    assert server.data.get("total", 2024).artifact.read_text() == "4"
    model = server.models.get("churn", "candidate")
    assert (model.description, model.tags) == ("Who leaves", {"team": "crm"})
    assert model.artifact["weights"].read_text() == "trained\n"
    assert (lake / "models/june/weights").read_text() == "trained\n"
    assert (lake / "rows.csv").read_text() == "a\nb\nc\nd\n"
    assert json.loads(run.outputs["report"].read_text())["files"] == 1
