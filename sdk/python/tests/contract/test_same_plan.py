"""What is drawn in Python and what is written as YAML is the same pipeline to the coordinator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tidemill
from tidemill import InputFile, Param, command_step, load_component, pipeline

YAML = """
type: pipeline
name: same
description: The same twice.
experiment_name: trials
settings: {default_compute: cpu}
inputs:
  rows: {type: uri_file, path: rows.csv}
  times: {type: integer, default: 3}
outputs:
  total: {type: uri_file}
jobs:
  count:
    component: ./count.yml
    inputs: {rows: "${{parent.inputs.rows}}", times: "${{parent.inputs.times}}"}
  show:
    component:
      type: command
      inputs:
        total: {type: uri_file}
        style: {type: string, default: plain, enum: [plain, bold]}
      outputs:
        page: {type: uri_file}
      code: ./src
      command: cat ${{inputs.total}} > ${{outputs.page}} --${{inputs.style}}
    inputs: {total: "${{parent.jobs.count.outputs.total}}", style: bold}
    outputs: {page: "${{parent.outputs.total}}"}
    depends_on: [count]
    compute: gpu
    retry: {max: 2, backoff: 1s}
    timeout: 1h
    environment_variables: {LABEL: "run-${{parent.inputs.times}}"}
"""


def test_the_same_pipeline_in_yaml_and_in_python_is_the_same_plan(server: tidemill.Local, project: Path) -> None:
    (project / "same.yml").write_text(YAML)
    show = command_step(
        "cat ${{inputs.total}} > ${{outputs.page}} --${{inputs.style}}",
        name="show",
        inputs={"total": "uri_file", "style": Param("string", default="plain", enum=["plain", "bold"])},
        outputs={"page": "uri_file"},
        code=project / "src",
    )

    @pipeline(experiment="trials", compute="cpu")
    def same(rows: InputFile, times: int = 3) -> Any:
        """The same twice."""
        count = load_component(project / "count.yml")(rows=rows, times=times)
        shown = show.with_options(
            compute="gpu",
            retry={"max": 2, "backoff": "1s"},
            timeout="1h",
            environment_variables={"LABEL": f"run-{times}"},
        )(total=count.outputs["total"], style="bold")
        return {"total": shown.after(count)}

    written = server._load(project / "same.yml", None).spec
    drawn = server._load(same(project / "rows.csv"), None).spec
    assert drawn == written
