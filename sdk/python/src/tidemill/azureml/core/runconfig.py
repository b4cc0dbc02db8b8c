"""How a step runs: where, in which software, on how many machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.azureml.core.conda_dependencies import CondaDependencies
from tidemill.azureml.core.environment import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, Environment
from tidemill.azureml.exceptions import UserErrorException, not_supported, refuse

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "DockerConfiguration",
    "MpiConfiguration",
    "PyTorchConfiguration",
    "RunConfiguration",
    "TensorflowConfiguration",
]


class DockerConfiguration:
    """Whether a container runs is the worker's business; this is accepted and has no effect."""

    def __init__(
        self,
        use_docker: bool = False,
        shared_volumes: bool = True,
        arguments: Sequence[str] | None = None,
        shm_size: str | None = None,
    ) -> None:
        refuse("DockerConfiguration", "containers are the worker's business", "leave it out", arguments=arguments)
        self.use_docker = use_docker
        self.shared_volumes = shared_volumes
        self.arguments: list[str] = []
        self.shm_size = shm_size


class MpiConfiguration:
    """Processes that are started by MPI."""

    def __init__(self, process_count_per_node: int = 1, node_count: int = 1) -> None:
        self.process_count_per_node = process_count_per_node
        self.node_count = node_count

    def _rendered(self) -> dict[str, Any]:
        return {"type": "mpi", "process_count_per_instance": self.process_count_per_node}


class PyTorchConfiguration:
    """Processes that find each other as PyTorch's do."""

    def __init__(
        self, communication_backend: str = "Nccl", process_count: int | None = None, node_count: int = 1
    ) -> None:
        self.communication_backend = communication_backend
        self.process_count = process_count
        self.node_count = node_count

    def _rendered(self) -> dict[str, Any]:
        count = self.process_count or self.node_count
        if count % self.node_count:
            raise UserErrorException(
                f"{count} processes cannot be spread over {self.node_count} nodes", code="bad_count"
            )
        return {"type": "pytorch", "process_count_per_instance": count // self.node_count}


class TensorflowConfiguration:
    """Processes that find each other as TensorFlow's do."""

    def __init__(self, worker_count: int = 1, parameter_server_count: int = 1) -> None:
        self.worker_count = worker_count
        self.parameter_server_count = parameter_server_count

    @property
    def node_count(self) -> int:
        """One node for each."""
        return self.worker_count + self.parameter_server_count

    def _rendered(self) -> dict[str, Any]:
        return {
            "type": "tensorflow",
            "worker_count": self.worker_count,
            "parameter_server_count": self.parameter_server_count,
        }


class RunConfiguration:
    """How a step runs."""

    def __init__(
        self,
        script: str | None = None,
        arguments: Sequence[Any] | None = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        command: Any = None,
    ) -> None:
        self.script = script
        self.command = command
        self.arguments = list(arguments or [])
        self.framework = framework or "Python"
        self.communicator = communicator or "None"
        self.target: Any = "local"
        self.environment = Environment("project")
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        self.docker = DockerConfiguration()
        self.node_count = 1
        self.mpi = MpiConfiguration()
        self.pytorch = PyTorchConfiguration()
        self.tensorflow = TensorflowConfiguration()
        self.max_run_duration_seconds: int | None = None
        self.priority: int | None = None
        # Ours: names of secrets, by the variable that is to hold each value.
        self.secrets: dict[str, Any] = {}

    @property
    def environment_variables(self) -> dict[str, str]:
        """Variables of the step's process."""
        return self.environment.environment_variables

    @environment_variables.setter
    def environment_variables(self, variables: Mapping[str, str]) -> None:
        self.environment.environment_variables = dict(variables)

    @staticmethod
    def load(path: str, name: str | None = None) -> RunConfiguration:
        """Not here: azureml's files of run configurations are not read."""
        raise not_supported("RunConfiguration.load", "its files are azureml's own", "write the configuration in Python")

    def save(self, path: str | None = None, name: str | None = None, separate_environment_yaml: bool = False) -> Any:
        """Not here: azureml's files of run configurations are not written."""
        raise not_supported("RunConfiguration.save", "its files are azureml's own", "write the configuration in Python")

    def _distribution(self) -> dict[str, Any] | None:
        kinds = {
            "mpi": self.mpi,
            "openmpi": self.mpi,
            "intelmpi": self.mpi,
            "nccl": self.pytorch,
            "gloo": self.pytorch,
            "parameterserver": self.tensorflow,
        }
        communicator = str(self.communicator or "None").lower()
        if communicator == "none":
            return None
        if communicator not in kinds:
            raise not_supported(
                f"the communicator {self.communicator}", "there is none of this name", f"use {', '.join(kinds)}"
            )
        kind = kinds[communicator]
        found: dict[str, Any] = kind._rendered()  # type: ignore[attr-defined]
        return found


def target_name(target: Any) -> str | None:
    """The name of a compute target; nothing where none was said."""
    name = getattr(target, "name", target)
    if name in (None, "", "local"):
        return None
    if not isinstance(name, str):
        raise UserErrorException(f"{target!r} is no compute target", code="bad_target")
    return name


def how(config: RunConfiguration | None, compute_target: Any) -> dict[str, Any]:
    """A run configuration in the words of a step: where, and with what."""
    found: dict[str, Any] = {}
    target = target_name(compute_target) or (target_name(config.target) if config else None)
    if target is not None:
        found["compute"] = f"azureml:{target}"
    if config is None:
        return found
    environment = config.environment._rendered()
    if environment is not None:
        found["environment"] = environment
    if config.node_count and config.node_count > 1:
        found["resources"] = {"instance_count": config.node_count}
    distribution = config._distribution()
    if distribution is not None:
        found["distribution"] = distribution
    if config.max_run_duration_seconds:
        found["timeout"] = f"{config.max_run_duration_seconds}s"
    if config.priority is not None:
        found["priority"] = config.priority
    if config.secrets:
        found["secrets"] = dict(config.secrets)
    return found
