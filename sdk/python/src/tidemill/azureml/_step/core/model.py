"""Models in a step: registering what it made, and finding what it was given."""

import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from . import tracking

__all__ = ["Model"]


class Model:
    """A model that this step registered."""

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
        tags: Optional[Mapping[str, Any]] = None,
        properties: Optional[Mapping[str, Any]] = None,
        description: Optional[str] = None,
        **options: Any,
    ) -> "Model":
        """Registers a file or folder as a version of a model, by way of the tracking server's registry."""
        given = [key for key, value in options.items() if value is not None]
        if given:
            raise TypeError("Model.register() in a step takes no " + ", ".join(given))
        found = tracking.here()
        if found is None:
            raise RuntimeError(
                "this step was given no tracking server, so it cannot register models: register its output"
            )
        root = Path(model_path)
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
        if not files:
            raise FileNotFoundError("there is nothing at " + model_path)
        artifacts = str(found.view()["info"]["artifact_uri"])
        inside = artifacts.split(":", 1)[1].lstrip("/")
        for file in files:
            inner = file.name if root.is_file() else file.relative_to(root).as_posix()
            found.put("%s/models/%s/%s" % (inside, model_name, inner), file.read_bytes())
        try:
            found.ask("registered-models/create", {"name": model_name})
        except OSError as error:
            if "ALREADY_EXISTS" not in str(error):
                raise
        listed = [{"key": key, "value": str(value)} for key, value in {**(tags or {}), **(properties or {})}.items()]
        body: Dict[str, Any] = {
            "name": model_name,
            "source": "%s/models/%s" % (artifacts, model_name),
            "run_id": found.run,
            "tags": listed,
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

    @staticmethod
    def list(*_: Any, **__: Any) -> "List[Model]":
        """Not in a step."""
        raise RuntimeError("a step cannot look around among models: name those that it needs as inputs")
