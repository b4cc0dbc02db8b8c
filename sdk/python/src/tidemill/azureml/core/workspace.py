"""A workspace: the way to a coordinator, under azureml's name. Which coordinator follows from tidemill's own settings; what azureml's `config.json` says gives it a name only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill import Client
from tidemill.azureml._names import as_name
from tidemill.azureml.exceptions import UserErrorException, refuse, refused

if TYPE_CHECKING:
    from tidemill.azureml.core.compute import ComputeTarget
    from tidemill.azureml.core.datastore import Datastore
    from tidemill.azureml.core.environment import Environment
    from tidemill.azureml.core.experiment import Experiment
    from tidemill.azureml.core.model import Model

__all__ = ["Workspace"]

DEFAULT_DATASTORE = "workspaceblobstore"
CONFIG_BYTES_MAX = 64 * 1024


class Workspace:
    """A coordinator and all that it keeps. Subscription and resource group are kept as texts; nothing follows from them."""

    def __init__(
        self,
        subscription_id: str = "",
        resource_group: str = "",
        workspace_name: str = "tidemill",
        auth: Any = None,
        sku: str = "basic",
        tags: Any = None,
        _client: Client | None = None,
    ) -> None:
        self.name = workspace_name
        self.subscription_id = subscription_id
        self.resource_group = resource_group
        self.location = "tidemill"
        self._auth = auth
        self._client = _client or Client()
        self._default_datastore = DEFAULT_DATASTORE

    @staticmethod
    def of(client: Client, name: str = "tidemill") -> Workspace:
        """A workspace on a client of one's own, such as `tidemill.local()`; ours, azureml has none."""
        return Workspace(workspace_name=name, _client=client)

    @staticmethod
    def from_config(path: str | None = None, auth: Any = None) -> Workspace:
        """The coordinator that tidemill's settings name, under the name in azureml's `config.json` if there is one."""
        found = _config(path)
        return Workspace(
            found.get("subscription_id", ""),
            found.get("resource_group", ""),
            found.get("workspace_name", "tidemill"),
            auth,
        )

    @staticmethod
    def get(
        name: str,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        cloud: str = "AzureCloud",
        id: str | None = None,
    ) -> Workspace:
        """The coordinator that tidemill's settings name, under this name."""
        return Workspace(subscription_id or "", resource_group or "", name, auth)

    @staticmethod
    def create(
        name: str,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        create_resource_group: bool = True,
        sku: str = "basic",
        tags: Any = None,
        friendly_name: str | None = None,
        exist_ok: bool = False,
        show_output: bool = True,
        **options: Any,
    ) -> Workspace:
        """The coordinator that tidemill's settings name; nothing is made."""
        refuse(
            "Workspace.create", "a coordinator is started, not created", "`tidemill up` or `tidemill serve`", **options
        )
        return Workspace(subscription_id or "", resource_group or "", name, auth)

    def write_config(self, path: str | None = None, file_name: str | None = None) -> None:
        """Writes the name to `.azureml/config.json`, where `from_config` looks."""
        folder = Path(path or ".") / ".azureml"
        folder.mkdir(parents=True, exist_ok=True)
        about = {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.name,
        }
        (folder / (file_name or "config.json")).write_text(json.dumps(about, indent=4))

    @property
    def datastores(self) -> dict[str, Datastore]:
        """The datastores that are known, by name."""
        from tidemill.azureml.core.datastore import Datastore

        return Datastore._all(self)

    @property
    def compute_targets(self) -> dict[str, ComputeTarget]:
        """The compute targets that have a queue or a worker, by name."""
        from tidemill.azureml.core.compute import ComputeTarget

        return {target.name: target for target in ComputeTarget.list(self)}

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The experiments that have runs, by name."""
        from tidemill.azureml.core.experiment import Experiment

        return {experiment.name: experiment for experiment in Experiment.list(self)}

    @property
    def datasets(self) -> dict[str, Any]:
        """The registered datasets, by name."""
        from tidemill.azureml.core.dataset import Dataset

        return Dataset.get_all(self)

    @property
    def models(self) -> dict[str, Model]:
        """The models, each in its latest version, by name."""
        from tidemill.azureml.core.model import Model

        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def environments(self) -> dict[str, Environment]:
        """The registered environments, by name."""
        from tidemill.azureml.core.environment import Environment

        return Environment.list(self)

    def get_default_datastore(self) -> Datastore:
        """The datastore that is meant when none is named."""
        from tidemill.azureml.core.datastore import Datastore

        return Datastore(self, self._default_datastore)

    def set_default_datastore(self, name: str) -> None:
        """Names another, for this object."""
        self._default_datastore = name

    get_default_compute_target = refused(
        "get_default_compute_target", "a default has no object here", "leave `compute_target` out of the step"
    )
    get_default_keyvault = refused(
        "a key vault", "secrets are given to steps only", "set it with `tidemill secret set`, and name it in the step"
    )
    delete = refused(
        "deleting a workspace", "a coordinator is stopped where it runs", "stop `tidemill up` or `tidemill serve` there"
    )

    def get_run(self, run_id: str) -> Any:
        """A run, or a step of one, by its id."""
        from tidemill.azureml.core.run import Run

        return Run.get(self, run_id)

    def get_mlflow_tracking_uri(self) -> str:
        """Where MLflow's clients log to."""
        return self._client.url

    def get_details(self) -> dict[str, Any]:
        """Name, address and version."""
        return {"name": self.name, "location": self.location, "url": self._client.url, **self._client.info()}

    def __repr__(self) -> str:
        return f"Workspace(name={self.name!r}, url={self._client.url!r})"

    @property
    def _folder(self) -> Path:
        """Where this machine keeps the datastores that nobody else does."""
        base = os.environ.get("XDG_DATA_HOME", "")
        root = Path(base) if base.startswith("/") else Path.home() / ".local/share"
        return root / "tidemill" / "azureml" / as_name(self.name)


def _config(path: str | None) -> dict[str, str]:
    """What azureml's own file says; nothing without one, because only names are in it."""
    here = Path(path) if path else Path.cwd()
    if not here.exists():
        raise UserErrorException(f"there is no {here}", code="no_config")
    if path and here.is_file():
        candidates = [here]
    else:
        folders = [here, *here.absolute().parents]
        candidates = [folder / name for folder in folders for name in (".azureml/config.json", "config.json")]
    for candidate in candidates:
        if candidate.is_file():
            with candidate.open("rb") as file:
                text = file.read(CONFIG_BYTES_MAX)
            try:
                found = json.loads(text)
            except ValueError as error:
                raise UserErrorException(f"{candidate} is no JSON: {error}", code="bad_config") from error
            if isinstance(found, dict) and "workspace_name" in found:
                return {key: str(value) for key, value in found.items()}
    if path:
        raise UserErrorException(f"{path} names no workspace", code="no_config")
    return {}
