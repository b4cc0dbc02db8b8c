"""Compute targets. A target is a name here: whoever starts a worker for it provides it, so nothing is created and nothing is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.azureml._names import as_name
from tidemill.azureml.exceptions import refused

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace

__all__ = [
    "AdlaCompute",
    "AmlCompute",
    "BatchCompute",
    "ComputeInstance",
    "ComputeTarget",
    "DataFactoryCompute",
    "DatabricksCompute",
    "HDInsightCompute",
    "RemoteCompute",
    "SynapseCompute",
]


class Provisioning:
    """What a compute target is asked to be. It is accepted, and has no effect: workers say what they are."""

    def __init__(self, kind: type[ComputeTarget], asked: dict[str, Any]) -> None:
        self.kind = kind
        self.asked = asked


class ComputeTarget:
    """A compute target by its name."""

    type = "ComputeTarget"

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.name = as_name(name)

    @staticmethod
    def create(workspace: Workspace, name: str, provisioning_configuration: Provisioning) -> ComputeTarget:
        """The target of this name. Nothing is created: a worker that is started for it provides it."""
        return provisioning_configuration.kind(workspace, name)

    @staticmethod
    def attach(workspace: Workspace, name: str, attach_configuration: Provisioning) -> ComputeTarget:
        """The target of this name. Nothing is attached: a worker that is started for it provides it."""
        return attach_configuration.kind(workspace, name)

    @staticmethod
    def list(workspace: Workspace) -> list[ComputeTarget]:
        """The targets that have a queue."""
        return [AmlCompute(workspace, queue["target"]) for queue in workspace._client.queues()]

    @property
    def provisioning_state(self) -> str:
        """Succeeded: a name is always there."""
        return "Succeeded"

    def wait_for_completion(self, show_output: bool = False, is_delete_operation: bool = False) -> None:
        """Returns at once, and says how many workers there are."""
        if show_output:
            count = self._workers()
            print(f"compute target {self.name}: {count or 'no'} workers have it on their list now")

    def refresh_state(self) -> None:
        """Nothing is kept that could be old."""

    def get_status(self) -> Any:
        """How many workers serve it."""
        return AmlComputeStatus(self._workers())

    def get(self) -> dict[str, Any]:
        """The same as a mapping."""
        return {"name": self.name, "workers": self._workers()}

    def serialize(self) -> dict[str, Any]:
        """The same as a mapping."""
        return self.get()

    delete = refused(
        "deleting a compute target", "workers are stopped where they run", "`tidemill worker drain` for each of them"
    )
    detach = delete
    update = refused("resizing a compute target", "workers are started where they run", "start or drain workers")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def _workers(self) -> int:
        workers = self.workspace._client.workers()
        return sum(self.name in _targets(worker) for worker in workers)


class AmlComputeStatus:
    """How many workers serve a target."""

    def __init__(self, workers: int) -> None:
        self.current_node_count = workers
        self.target_node_count = workers
        self.allocation_state = "Steady"
        self.provisioning_state = "Succeeded"

    def serialize(self) -> dict[str, Any]:
        """It as a mapping."""
        return {
            "currentNodeCount": self.current_node_count,
            "targetNodeCount": self.target_node_count,
            "allocationState": self.allocation_state,
            "provisioningState": self.provisioning_state,
        }

    def __repr__(self) -> str:
        return f"<{self.current_node_count} workers>"


class AmlCompute(ComputeTarget):
    """A compute target by its name."""

    type = "AmlCompute"

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        vm_priority: str = "dedicated",
        min_nodes: int = 0,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int = 1800,
        admin_username: str | None = None,
        admin_user_password: str | None = None,
        admin_user_ssh_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: Any = None,
        description: str | None = None,
        remote_login_port_public_access: str = "NotSpecified",
        identity_type: str | None = None,
        identity_id: Any = None,
        location: str | None = None,
        enable_node_public_ip: bool = True,
    ) -> Provisioning:
        """Accepted; workers say themselves what they are."""
        return Provisioning(AmlCompute, {"vm_size": vm_size, "min_nodes": min_nodes, "max_nodes": max_nodes})

    def wait_for_completion(  # type: ignore[override]  # as azureml has it
        self,
        show_output: bool = False,
        min_node_count: int | None = None,
        timeout_in_minutes: int = 25,
        is_delete_operation: bool = False,
    ) -> None:
        """Returns at once, and says how many workers there are."""
        super().wait_for_completion(show_output, is_delete_operation)

    def list_nodes(self) -> list[dict[str, Any]]:
        """The workers that serve it."""
        return [worker for worker in self.workspace._client.workers() if self.name in _targets(worker)]


class ComputeInstance(AmlCompute):
    """A compute target by its name."""

    type = "ComputeInstance"


class _Attached(ComputeTarget):
    """A target that would be attached elsewhere; here it is a name like any other."""

    @classmethod
    def attach_configuration(cls, *_: Any, **asked: Any) -> Provisioning:
        """Accepted; a worker that is started for the name provides it. Credentials in it are dropped."""
        return Provisioning(cls, {})


class RemoteCompute(_Attached):
    """A compute target by its name."""

    type = "RemoteCompute"


class DatabricksCompute(_Attached):
    """A compute target by its name."""

    type = "DatabricksCompute"


class DataFactoryCompute(_Attached):
    """A compute target by its name."""

    type = "DataFactoryCompute"

    @staticmethod
    def provisioning_configuration(location: str | None = None) -> Provisioning:
        """Accepted; nothing is created."""
        return Provisioning(DataFactoryCompute, {})


class AdlaCompute(_Attached):
    """A compute target by its name."""

    type = "AdlaCompute"


class BatchCompute(_Attached):
    """A compute target by its name."""

    type = "BatchCompute"


class HDInsightCompute(_Attached):
    """A compute target by its name."""

    type = "HDInsightCompute"


class SynapseCompute(_Attached):
    """A compute target by its name."""

    type = "SynapseCompute"


def _targets(worker: dict[str, Any]) -> list[str]:
    found = worker.get("targets", [])
    return [target if isinstance(target, str) else str(target.get("name", "")) for target in found]
