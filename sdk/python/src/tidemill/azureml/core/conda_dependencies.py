"""The packages of an environment, in conda's words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse

__all__ = ["CondaDependencies"]

# azureml's own packages: what scripts use of them is put beside every step.
_STOOD_IN_FOR = re.compile(r"azureml[-_.](?!inference-schema)[a-z0-9_.-]+", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CondaDependencies:
    """The packages of an environment."""

    def __init__(self, conda_dependencies_file_path: str | None = None) -> None:
        self._python: str | None = None
        self._pip: list[str] = []
        self._pip_options: list[str] = []
        self._conda: list[str] = []
        self._channels: list[str] = []
        self._file: str | None = None
        if conda_dependencies_file_path is not None:
            path = Path(conda_dependencies_file_path)
            if not path.is_file():
                raise UserErrorException(f"there is no file {path}", code="not_found")
            # The coordinator reads it, as it reads those of pipeline files.
            self._file = str(path.absolute())

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: Sequence[str] | None = None,
        conda_packages: Sequence[str] | None = None,
        python_version: str | None = None,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """Packages of pip and conda. Without `python_version` it is the worker's Python."""
        made = CondaDependencies()
        made._python = python_version
        if pip_indexurl is not None:
            made.set_pip_index_url(pip_indexurl)
        for package in pip_packages or []:
            made.add_pip_package(package)
        for package in conda_packages or []:
            made.add_conda_package(package)
        return made

    @staticmethod
    def merge_requirements(requirements: Iterable[str]) -> list[str]:
        """Requirements, each package once; the last one counts."""
        return list({_package(line): line for line in requirements}.values())

    @property
    def conda_channels(self) -> list[str]:
        """Channels. They have no effect: packages come from where the worker's pip looks."""
        return list(self._channels)

    @property
    def conda_packages(self) -> list[str]:
        """Packages of conda."""
        return list(self._conda)

    @property
    def pip_packages(self) -> list[str]:
        """Packages of pip."""
        return list(self._pip)

    @property
    def pip_options(self) -> list[str]:
        """Options of pip."""
        return list(self._pip_options)

    def get_python_version(self) -> str | None:
        """The Python that is wanted."""
        return self._python

    def set_python_version(self, version: str) -> None:
        """Wants this Python."""
        self._own()
        self._python = version

    def add_channel(self, channel: str) -> None:
        """Names a channel."""
        self._channels.append(channel)

    def remove_channel(self, channel: str) -> None:
        """Forgets a channel."""
        self._channels.remove(channel)

    def add_conda_package(self, conda_package: str) -> None:
        """Adds a package of conda; it is installed with pip under the same name."""
        self._own()
        if _package(conda_package) == "python":
            self._python = conda_package.partition("=")[2].lstrip("=") or self._python
            return
        self.remove_conda_package(conda_package)
        self._conda.append(conda_package)

    def remove_conda_package(self, conda_package: str) -> None:
        """Takes a package of conda out."""
        self._conda = [known for known in self._conda if _package(known) != _package(conda_package)]

    def add_pip_package(self, pip_package: str) -> None:
        """Adds a package of pip. azureml's own are left out: what scripts use of them is put beside every step."""
        self._own()
        self.remove_pip_package(pip_package)
        self._pip.append(pip_package)

    def remove_pip_package(self, pip_package: str) -> None:
        """Takes a package of pip out."""
        self._pip = [known for known in self._pip if _package(known) != _package(pip_package)]

    def set_pip_requirements(self, pip_requirements: Sequence[str]) -> None:
        """Puts these in place of the packages of pip."""
        self._own()
        self._pip = list(pip_requirements)

    def set_pip_option(self, pip_option: str) -> None:
        """Not here: where packages come from is the worker's setting."""
        raise not_supported(
            f"pip's `{pip_option}`",
            "where packages come from is the worker's setting",
            "set PIP_INDEX_URL at the worker",
        )

    def set_pip_index_url(self, index_url: str) -> None:
        """Not here: where packages come from is the worker's setting."""
        self.set_pip_option(f"--index-url {index_url}")

    def add_tensorflow_pip_package(self, core_type: str = "cpu", version: str | None = None) -> None:
        """Adds TensorFlow."""
        self.add_pip_package(f"tensorflow=={version}" if version else "tensorflow")

    def add_tensorflow_conda_package(self, core_type: str = "cpu", version: str | None = None) -> None:
        """Adds TensorFlow."""
        self.add_tensorflow_pip_package(core_type, version)

    def as_dict(self) -> dict[str, Any]:
        """It as conda's file has it."""
        self._own()
        python = [f"python={self._python}"] if self._python else []
        pip: list[Any] = [{"pip": list(self._pip)}] if self._pip else []
        return {"channels": list(self._channels), "dependencies": [*python, *self._conda, *pip]}

    def serialize_to_string(self) -> str:
        """It as the text of conda's file."""
        lines = ["channels:", *(f"- {channel}" for channel in self._channels)] if self._channels else []
        lines += ["dependencies:"]
        lines += [f"- python={self._python}"] if self._python else []
        lines += [f"- {package}" for package in self._conda]
        if self._pip:
            lines += ["- pip:", *(f"  - {package}" for package in self._pip)]
        return "\n".join(lines) + "\n"

    def save_to_file(self, base_directory: str, conda_file_path: str | None = None) -> str:
        """Writes conda's file; answers with its path below the folder."""
        name = conda_file_path or "conda_dependencies.yml"
        path = Path(base_directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.serialize_to_string())
        return name

    def save(self, path: str | None = None) -> str:
        """Writes conda's file; answers with its path."""
        place = Path(path or "conda_dependencies.yml")
        place.write_text(self.serialize_to_string())
        return str(place)

    def _own(self) -> None:
        if self._file is not None:
            raise not_supported(
                "changing what a conda file says",
                "the file is read by the coordinator, when the pipeline is submitted",
                f"change {self._file}, or list the packages with CondaDependencies.create",
            )

    def _rendered(self) -> Any:
        """It as `conda_file:`; nothing when there is nothing to install."""
        if self._file is not None:
            return self._file
        kept = {
            "conda": [line for line in self._conda if _package(line) not in ("pip", "conda", "setuptools")],
            "pip": [line for line in self._pip if not _STOOD_IN_FOR.match(line)],
        }
        if not kept["conda"] and not kept["pip"] and self._python is None:
            return None
        python = [f"python={self._python}"] if self._python else []
        pip: list[Any] = [{"pip": kept["pip"]}] if kept["pip"] else []
        return {"dependencies": [*python, *kept["conda"], *pip]}


def requirements_of(dependencies: CondaDependencies) -> list[str]:
    """The packages as pip's requirements, for an environment that is kept under a name."""
    refuse(
        "Environment.register",
        "a conda file is read by the coordinator only in pipelines",
        "list the packages",
        conda_file=dependencies._file,
    )
    pinned = [re.sub(r"^([A-Za-z0-9._-]+)=([^=]+)$", r"\1==\2.*", line) for line in dependencies._conda]
    return [*pinned, *(line for line in dependencies._pip if not _STOOD_IN_FOR.match(line))]


def _package(line: str) -> str:
    found = _NAME.match(line.strip())
    return found[0].lower().replace("_", "-") if found else line
