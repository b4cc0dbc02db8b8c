"""Steps that search for the best parameters of a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_port
from tidemill.azureml._sheet import STEP_FOLDER, Words
from tidemill.azureml.core.runconfig import how
from tidemill.azureml.exceptions import refuse
from tidemill.azureml.pipeline.steps.command_step import PYTHON
from tidemill.azureml.pipeline.steps.other_steps import OtherStep

if TYPE_CHECKING:
    from tidemill.azureml._sheet import Sheet
    from tidemill.azureml.pipeline.core.run import StepRun
    from tidemill.azureml.train.hyperdrive import HyperDriveConfig

__all__ = ["HyperDriveStep", "HyperDriveStepRun"]


class HyperDriveStep(OtherStep):
    """A step that runs a script with many choices of parameters; its outputs are those of the best."""

    def __init__(
        self,
        name: str,
        hyperdrive_config: HyperDriveConfig,
        estimator_entry_script_arguments: Sequence[Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        metrics_output: Any = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        refuse(
            "HyperDriveStep",
            "what trials logged is kept by the coordinator",
            "step_run.get_metrics()",
            metrics_output=metrics_output,
        )
        self._config = hyperdrive_config
        script = hyperdrive_config._script
        self._compute_target = script.run_config.target
        self._allow_reuse = allow_reuse
        arguments = script.arguments if estimator_entry_script_arguments is None else estimator_entry_script_arguments
        super().__init__(name, inputs, outputs, arguments)

    def _settings(self, words: Words, sheet: Sheet) -> dict[str, Any]:
        config = self._config
        script = config._script
        assert script.script is not None
        command = words.line([PYTHON, script.script, *self._arguments])
        for name in config._space:
            # Each parameter is given to the script as `--name value`, as there.
            command += f" --{name.lstrip('-')} ${{{{search_space.{as_port(name.lstrip('-'))}}}}}"
        found = {
            "type": "sweep",
            "trial": {"command": command},
            "code": sheet.code(script.source_directory, script.script, shim=True),
            "search_space": {as_port(name.lstrip("-")): space for name, space in config._space.items()},
            "sampling_algorithm": config._sampling,
            "objective": {"goal": config._goal, "primary_metric": config.primary_metric_name},
            "limits": config._limits,
            "environment_variables": {**script.run_config.environment_variables, "PYTHONPATH": STEP_FOLDER},
        }
        if config._early_termination is not None:
            found["early_termination"] = config._early_termination
        placed = how(script.run_config, None)
        found.update({key: placed[key] for key in ("environment", "resources") if key in placed})
        return found


class HyperDriveStepRun:
    """A search that ran."""

    def __init__(self, step_run: StepRun) -> None:
        self._step_run = step_run

    def get_best_run_by_primary_metric(self, **options: Any) -> StepRun:
        """The step: its outputs are those of the best trial."""
        refuse("get_best_run_by_primary_metric", "the step knows its best trial", "leave it out", **options)
        return self._step_run

    def get_metrics(self) -> dict[str, Any]:
        """What the step logged."""
        return self._step_run.get_metrics()

    def save_metrics(self, path: str) -> None:
        """Writes that to a file."""
        Path(path).write_text(json.dumps(self.get_metrics(), indent=2))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step_run, name)
