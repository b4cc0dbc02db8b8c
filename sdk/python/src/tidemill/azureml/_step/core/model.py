"""Models in a step: registering what it made, and finding what it was given."""

import os
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from . import tracking
from .refusals import refuse, refused

__all__ = ["Model"]


class Framework:
    """Names of what models are made with."""

    CUSTOM = "Custom"
    TENSORFLOW = "TensorFlow"
    SCIKITLEARN = "ScikitLearn"
    ONNX = "Onnx"
    TFKERAS = "TfKeras"
    PYTORCH = "PyTorch"
    MULTI = "Multi"


class Model:
    """A model that this step registered."""

    Framework = Framework

    def __init__(self, workspace: Any, name: Optional[str] = None, version: Any = None, **_: Any) -> None:
        self.workspace = workspace
        self.name = name
        self.version = version
        self.id = "%s:%s" % (name, version)

    @staticmethod
    def register(
        workspace: Any,
        model_path: str,
        model_name: str,
        tags: Any = None,
        properties: Any = None,
        description: Optional[str] = None,
        datasets: Any = None,
        model_framework: Optional[str] = None,
        model_framework_version: Optional[str] = None,
        child_paths: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> "Model":
        """Registers a file or folder as a version of a model, by way of the tracking server's registry."""
        refuse(
            "Model.register",
            "a model is files with tags",
            "say it in tags",
            datasets=datasets,
            child_paths=child_paths,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
            resource_configuration=resource_configuration,
        )
        about = {**_pairs(tags), **_pairs(properties)}
        if model_framework:
            about["framework"] = str(model_framework)
        if model_framework_version:
            about["framework_version"] = str(model_framework_version)
        found = tracking.here()
        if found is None:
            raise RuntimeError(
                "this step was given no tracking server, so it cannot register models: register its output"
            )
        artifacts = _stored(found, Path(model_path), model_name)
        try:
            found.ask("registered-models/create", {"name": model_name})
        except OSError as error:
            if "ALREADY_EXISTS" not in str(error):
                raise
        body: Dict[str, Any] = {
            "name": model_name,
            "source": "%s/models/%s" % (artifacts, model_name),
            "run_id": found.run,
            "tags": [{"key": key, "value": value} for key, value in about.items()],
        }
        if description:
            body["description"] = description
        made = found.ask("model-versions/create", body)["model_version"]
        return Model(workspace, model_name, made["version"])

    @staticmethod
    def get_model_path(model_name: str, version: Optional[int] = None, _workspace: Any = None) -> str:
        """The path of an input of this name: a step is given its models as inputs."""
        place = os.environ.get("TIDEMILL_INPUT_" + "".join(c if c.isalnum() else "_" for c in model_name))
        if place is None:
            raise RuntimeError(
                "this step has no input %r: name the model as an input of the step (Model(ws, NAME).as_input()), and it is here"
                % model_name
            )
        return place

    list = refused(
        "Model.list",
        "a step cannot look around among models",
        "name those that it needs as inputs of the step: Model(ws, NAME).as_input()",
    )
    download = refused(
        "Model.download",
        "a step is given its models as inputs",
        "name it as an input of the step (Model(ws, NAME).as_input()), and take Model.get_model_path(NAME)",
    )
    update = refused(
        "changing a model in a step",
        "a step registers models, and describes them when it does",
        "tags=… and description=… of register, or Model(ws, NAME).update(…) in the notebook",
    )
    add_tags = update
    add_properties = update
    remove_tags = update
    delete = update
    deploy = refused("Model.deploy", "services are no part of tidemill", "download it, and serve it where you serve")
    package = deploy
    profile = deploy


def _stored(found: tracking.Tracking, root: Path, name: str) -> str:
    """Sends the files of a model; answers with where the run's files are."""
    files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    if not files:
        raise FileNotFoundError("there is nothing at %s" % root)
    artifacts = str(found.view()["info"]["artifact_uri"])
    inside = artifacts.split(":", 1)[1].lstrip("/")
    for file in files:
        inner = file.name if root.is_file() else file.relative_to(root).as_posix()
        found.put("%s/models/%s/%s" % (inside, name, inner), file.read_bytes())
    return artifacts


def _pairs(tags: Any) -> Dict[str, str]:
    """Tags as azureml takes them: a mapping, or a list of names and pairs."""
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    found: Dict[str, str] = {}
    for tag in [tags] if isinstance(tags, str) else tags or []:
        name, value = (tag, "") if isinstance(tag, str) else (tag[0], tag[1])
        found[str(name)] = str(value)
    return found
