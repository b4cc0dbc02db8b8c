"""Steps that tidemill does itself: copying files to a datastore, and making them a version of a model.

They stand at the step, not as components, and start no process of their author's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from tidemill._graph import Drawing, StepCall
from tidemill._naming import naming
from tidemill._ports import Input, Output, Ports
from tidemill._steps import Component, Options, Rendering, _as_name, _options
from tidemill.errors import ValidationError

__all__ = ["BuiltinStep", "ModelType", "copy_step", "register_model_step"]

ModelType = Literal["custom_model", "mlflow_model", "triton_model"]
# What a process needs, and these have none.
OF_PROCESSES = ("environment", "environment_variables", "checkpoint", "secrets", "distribution")
# The type of its input is that of what is given to it.
ANY_FILES = Input(type="")


class BuiltinStep(Component):
    """A step that tidemill does itself."""

    def __init__(self, name: str, kind: str, ports: Ports, said: Mapping[str, Any], options: Options) -> None:
        super().__init__(name, ports, options)
        self.kind = kind
        self.outputs_may_be_named = kind != "register_model"
        self._said = {key: value for key, value in said.items() if value is not None}

    def words(self, into: Rendering) -> dict[str, Any]:  # noqa: ARG002 - it has no files of its own
        """What a step of it says of what it is."""
        return {"type": self.kind, **self._said}

    def call_in(self, drawing: Drawing, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StepCall:
        """Makes a step of it."""
        wrong = [name for name in OF_PROCESSES if getattr(self.options, name) is not None]
        if wrong:
            kept = [name for name in Options.__dataclass_fields__ if name not in OF_PROCESSES]
            raise ValidationError(
                f"`{self.name}` takes no {', '.join(wrong)}: a `{self.kind}` step starts no process of yours",
                code="bad_option",
                hint=f"it takes {', '.join(kept)}",
            )
        return super().call_in(drawing, args, kwargs)


def copy_step(
    destination: str, *, name: str | None = None, deterministic: bool | None = None, **options: Any
) -> BuiltinStep:
    """A step that copies its input `source` to a place in a datastore: `copy_step("azureml://datastores/lake/paths/models")(fitted)`.

    The destination may hold parameters of the pipeline (`f"azureml://datastores/lake/paths/{month}"`, in the pipeline's function). A copy is made each time;
    `deterministic=True` says that nobody but this step writes there. Its output `report` says what was copied. Other keywords are those of `with_options`.
    """
    if not isinstance(destination, str) or "://" not in destination or destination.startswith(("http:", "https:")):
        raise ValidationError(
            f"nothing can be copied to {str(destination)!r}",
            code="bad_destination",
            hint="give a place in a datastore: azureml://datastores/NAME/paths/PATH, or s3://…, az://…, gs://…, file:///…",
        )
    ports = Ports({"source": ANY_FILES}, {"report": Output("uri_file")})
    said = {"destination": destination, "is_deterministic": deterministic}
    return BuiltinStep(name or "copy", "copy", ports, said, _options(options))


def register_model_step(
    model_name: str,
    *,
    model_type: ModelType = "custom_model",
    version: str | int | None = None,
    label: str | None = None,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    name: str | None = None,
    deterministic: bool | None = None,
    **options: Any,
) -> BuiltinStep:
    """A step that makes its input `model` a version of a model: `register_model_step("churn", model_type="mlflow_model", label="candidate")(fitted)`.

    The files are looked at first: an `mlflow_model` holds a file `MLmodel`, a `triton_model` a folder that is a number. `version` fixes the version, `label` is to point at
    it. Its output `model` is the same content. `name` is the step's; other keywords are those of `with_options`.
    """
    if model_type not in get_args(ModelType):
        raise ValidationError(
            f"{model_type!r} is no type of model", code="bad_type", hint=f"there are {', '.join(get_args(ModelType))}"
        )
    ports = Ports({"model": ANY_FILES}, {"model": Output(model_type)})
    said = {
        **naming(model_name, version, label),
        "model_type": model_type,
        "description": description or None,
        "tags": dict(tags) if tags else None,
        "is_deterministic": deterministic,
    }
    return BuiltinStep(_as_name(name or "register_model"), "register_model", ports, said, _options(options))
