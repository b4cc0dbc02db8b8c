"""Environments: the software around steps."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_name
from tidemill.azureml.core.conda_dependencies import CondaDependencies, requirements_of
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse, refused
from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidemill import AssetVersion
    from tidemill.azureml.core.workspace import Workspace

__all__ = ["DockerSection", "Environment", "PythonSection"]

# Images that hold only a Python for azureml to build on.
_BASE_IMAGE = re.compile(
    r"(mcr\.microsoft\.com/)?azureml/(base|openmpi|intelmpi|minimal|cuda)|^mcr\.microsoft\.com/azureml/"
)
DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.6-cudnn8-ubuntu20.04"
_READS_PIP = re.compile(r"\s*(#.*)?$")


class PythonSection:
    """The Python of an environment."""

    def __init__(self) -> None:
        self.interpreter_path = "python"
        self.user_managed_dependencies = False
        self.conda_dependencies: CondaDependencies | None = None
        self.base_conda_environment: str | None = None

    @property
    def conda_dependencies_file(self) -> str | None:
        """A conda file."""
        return self.conda_dependencies._file if self.conda_dependencies else None

    @conda_dependencies_file.setter
    def conda_dependencies_file(self, path: str) -> None:
        self.conda_dependencies = CondaDependencies(path)


class DockerSection:
    """The container of an environment. The image of a step is noted; whether a container runs is the worker's business."""

    def __init__(self) -> None:
        self.base_image: str | None = None
        self.base_dockerfile: str | None = None
        self.base_image_registry = None
        self.enabled = False
        self.arguments: list[str] = []
        self.shared_volumes = True
        self.shm_size: str | None = None
        self.gpu_support = False
        self.platform = None


class Environment:
    """The software around steps: packages, an image, or the name of either."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        known = {
            "python": PythonSection,
            "docker": DockerSection,
            "environment_variables": dict,
        }
        unknown = [key for key in kwargs if key not in known]
        if unknown:
            raise TypeError(f"Environment() got an unexpected keyword argument {unknown[0]!r}")
        self.name = name
        self.version: str | None = None
        self.python: PythonSection = kwargs.get("python") or PythonSection()
        self.docker: DockerSection = kwargs.get("docker") or DockerSection()
        self.environment_variables: dict[str, str] = dict(kwargs.get("environment_variables") or {})
        # A name that the coordinator knows, in place of all else.
        self._named: str | None = None

    @staticmethod
    def get(workspace: Workspace, name: str, version: str | None = None, label: str | None = None) -> Environment:
        """A registered environment, or one that pipeline files may name (`[environments]` of tidemill.toml, curated families)."""
        try:
            return _registered(workspace._client.environments.get(as_name(name), version or label))
        except NotFoundError:
            made = Environment(name)
            made._named = f"azureml:{name}:{version}" if version else f"azureml:{name}@{label or 'latest'}"
            return made

    @staticmethod
    def list(workspace: Workspace) -> dict[str, Environment]:
        """The registered environments, each in its latest version, by name."""
        return {asset.name: _registered(asset.latest) for asset in workspace._client.environments.list()}

    @staticmethod
    def from_conda_specification(name: str, file_path: str) -> Environment:
        """An environment of a conda file."""
        made = Environment(name)
        made.python.conda_dependencies = CondaDependencies(file_path)
        return made

    @staticmethod
    def from_pip_requirements(name: str, file_path: str, pip_version: str | None = None) -> Environment:
        """An environment of a file of pip's requirements."""
        refuse("from_pip_requirements", "pip is the worker's", "leave it out", pip_version=pip_version)
        path = Path(file_path)
        if not path.is_file():
            raise UserErrorException(f"there is no file {path}", code="not_found")
        lines = [line.strip() for line in path.read_text().splitlines() if not _READS_PIP.match(line)]
        made = Environment(name)
        made.python.conda_dependencies = CondaDependencies.create(pip_packages=lines)
        return made

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: Any = None,
        conda_specification: str | None = None,
        pip_requirements: str | None = None,
    ) -> Environment:
        """An environment of an image, with packages beside it."""
        refuse(
            "from_docker_image",
            "credentials of registries are the worker's",
            "log the worker in",
            container_registry=container_registry,
        )
        made = Environment(name)
        if pip_requirements:
            made = Environment.from_pip_requirements(name, pip_requirements)
        elif conda_specification:
            made = Environment.from_conda_specification(name, conda_specification)
        made.docker.base_image = image
        return made

    from_dockerfile = refused(
        "an environment of a Dockerfile",
        "images are named, not built",
        "build it, then Environment.from_docker_image(name, image)",
    )
    from_docker_build_context = from_dockerfile
    from_existing_conda_environment = refused(
        "from_existing_conda_environment",
        "what this machine has says nothing of the workers",
        "`conda env export --from-history > environment.yml`, then from_conda_specification",
    )
    add_private_pip_wheel = refused(
        "add_private_pip_wheel",
        "packages come from where the worker's pip looks",
        "put the wheel into source_directory",
    )

    def clone(self, new_name: str) -> Environment:
        """The same under another name."""
        other = copy.deepcopy(self)
        other.name = new_name
        return other

    def register(self, workspace: Workspace) -> Environment:
        """Keeps it under its name; a change is another version."""
        python = self.python.conda_dependencies or CondaDependencies()
        version = workspace._client.environments.register(
            as_name(self.name),
            image=self._image(),
            python=python.get_python_version(),
            requirements=requirements_of(python),
            tags={"azureml.variables": json.dumps(self.environment_variables)} if self.environment_variables else None,
        )
        return _registered(version)

    build = refused("build", "each worker builds an environment when it first needs it", "submit a run")
    build_local = build

    def save_to_directory(self, path: str, overwrite: bool = False) -> None:
        """Writes its packages to a folder, as conda's file."""
        folder = Path(path)
        if folder.exists() and not overwrite:
            raise UserErrorException(f"{folder} is there already", code="exists", hint="overwrite=True")
        folder.mkdir(parents=True, exist_ok=True)
        (self.python.conda_dependencies or CondaDependencies()).save(str(folder / "conda_dependencies.yml"))

    @staticmethod
    def load_from_directory(path: str) -> Environment:
        """An environment of a folder with conda's file."""
        return Environment.from_conda_specification(Path(path).name, str(Path(path) / "conda_dependencies.yml"))

    def _image(self) -> str | None:
        if self.docker.base_dockerfile is not None:
            raise not_supported("base_dockerfile", "images are named, not built", "build it, and set base_image")
        image = self.docker.base_image
        return None if image is None or _BASE_IMAGE.search(image) else image

    def _rendered(self) -> str | Mapping[str, Any] | None:
        """It in the words of pipeline files; nothing for the worker's own software."""
        if self._named is not None:
            return self._named
        image = self._image()
        packages = self.python.conda_dependencies
        conda = None if self.python.user_managed_dependencies or packages is None else packages._rendered()
        found = {"name": as_name(self.name), "image": image, "conda_file": conda}
        if image is None and conda is None:
            return None
        return {key: value for key, value in found.items() if value is not None}

    def __repr__(self) -> str:
        return f"<Environment {self.name}>"


def _registered(version: AssetVersion) -> Environment:
    body = version.view["body"]["environment"]
    made = Environment(version.name)
    made.version = version.version
    made.docker.base_image = body.get("image")
    python = body.get("python")
    if python:
        made.python.conda_dependencies = CondaDependencies.create(
            pip_packages=python.get("requirements"), python_version=python.get("version")
        )
    made.environment_variables = json.loads(version.tags.get("azureml.variables", "{}"))
    return made
