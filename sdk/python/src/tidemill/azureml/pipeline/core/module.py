"""Modules: steps that are kept under a name with versions, as components of the catalog."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill._load import Rendered, load
from tidemill._scan import Source
from tidemill.azureml._names import as_name, as_port
from tidemill.azureml._sheet import STEP_FOLDER, step_files
from tidemill.azureml.exceptions import UserErrorException, not_supported, refused
from tidemill.azureml.pipeline.core.graph import InputPortDef, OutputPortDef, PipelineParameter
from tidemill.errors import NotFoundError

if TYPE_CHECKING:
    from tidemill import AssetVersion
    from tidemill.azureml.core.workspace import Workspace

__all__ = ["Module", "ModuleVersion", "ModuleVersionDescriptor"]

PORTS_TAG = "azureml.ports"
DEFAULT_LABEL = "default"


class ModuleVersionDescriptor:
    """A version of a module, by number and id."""

    def __init__(self, version: str, module_version_id: str) -> None:
        self.version = version
        self.module_version_id = module_version_id


class ModuleVersion:
    """A version of a module."""

    def __init__(self, workspace: Workspace, module_entity: AssetVersion, version: str) -> None:
        self.workspace = workspace
        self._asset = module_entity
        self.version = version

    @staticmethod
    def get(workspace: Workspace, module_version_id: str) -> ModuleVersion:
        """A version by its id, `NAME:VERSION`."""
        name, _, version = module_version_id.partition(":")
        found = workspace._client.components.get(name, version or None)
        return ModuleVersion(workspace, found, found.version)

    @property
    def module_version_id(self) -> str:
        """`NAME:VERSION`."""
        return f"{self._asset.name}:{self._asset.version}"

    @property
    def module_id(self) -> str:
        """The module's name."""
        return self._asset.name

    @property
    def description(self) -> str:
        """Free text."""
        return self._asset.description

    @property
    def status(self) -> str:
        """Active, Deprecated or Disabled."""
        return self._asset.stage.capitalize()

    def module(self) -> Module:
        """The module that it is a version of."""
        return Module.get(self.workspace, name=self._asset.name)

    def set_description(self, description: str) -> None:
        """Changes the text."""
        self._asset.describe(description=description)

    def enable(self) -> None:
        """Lets it be used again."""
        self._asset.describe(stage="active")

    def disable(self) -> None:
        """Lets it be used no more."""
        self._asset.describe(stage="disabled")

    def deprecate(self) -> None:
        """Says that it should be used no more."""
        self._asset.describe(stage="deprecated")

    @property
    def _ports(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = json.loads(self._asset.tags.get(PORTS_TAG, "{}"))
        return {"inputs": found.get("inputs", []), "outputs": found.get("outputs", [])}


class Module:
    """A step that is kept under a name with versions."""

    def __init__(
        self,
        workspace: Workspace,
        module_id: str,
        name: str,
        description: str,
        status: str,
        default_version: str | None,
        module_version_list: Sequence[ModuleVersionDescriptor],
    ) -> None:
        self.workspace = workspace
        self.id = module_id
        self.name = name
        self.description = description
        self.status = status
        self._versions = list(module_version_list)
        self._default = default_version

    @staticmethod
    def create(workspace: Workspace, name: str, description: str) -> Module:
        """A module without versions. It is kept with its first version."""
        if as_name(name) in workspace._client.components:
            raise UserErrorException(f"there is a module `{name}` already", code="exists", hint="Module.get(…)")
        return Module(workspace, as_name(name), name, description, "Active", None, [])

    @staticmethod
    def get(workspace: Workspace, module_id: str | None = None, name: str | None = None) -> Module:
        """A module by its name."""
        asset = workspace._client.components[as_name(module_id or name or "")]
        listed = [ModuleVersionDescriptor(v.version, f"{asset.name}:{v.version}") for v in asset.versions()]
        default = asset.labels.get(DEFAULT_LABEL)
        return Module(workspace, asset.name, name or asset.name, asset.description, "Active", default, listed)

    @staticmethod
    def get_versions(workspace: Workspace, name: str) -> list[ModuleVersionDescriptor]:
        """The versions of a module."""
        return Module.get(workspace, name=name).module_version_list()

    @property
    def default_version(self) -> str | None:
        """The version that is meant when none is named."""
        return self._default

    def module_version_list(self) -> list[ModuleVersionDescriptor]:
        """Its versions, the newest first."""
        return list(self._versions)

    def publish_python_script(
        self,
        script_name: str,
        description: str,
        inputs: Sequence[InputPortDef],
        outputs: Sequence[OutputPortDef],
        params: Mapping[str, Any] | None = None,
        create_sequencing_ports: bool = True,
        version: str | None = None,
        is_default: bool = False,
        source_directory: str | None = None,
        hash_paths: Any = None,
        category: str | None = None,
        arguments: Sequence[Any] | None = None,
        runconfig: Any = None,
    ) -> ModuleVersion:
        """Adds a version that runs a Python script."""
        root = Path(source_directory or ".").absolute()
        if not (root / script_name).is_file():
            raise UserErrorException(f"there is no file `{script_name}` in {root}", code="no_script")
        declared = {as_port(port.name): port._declaration() for port in inputs}
        made = {as_port(port.name): port._declaration() for port in outputs}
        literals = {as_port(key): _literal(value) for key, value in (params or {}).items()}
        words = ["python3", script_name]
        for value in arguments or []:
            words.append(_word(value, declared, made, literals))
        variables = {"PYTHONPATH": STEP_FOLDER}
        variables.update({f"AML_PARAMETER_{name}": f"${{{{inputs.{name}}}}}" for name in literals})
        component: dict[str, Any] = {
            "type": "command",
            "inputs": {**declared, **literals},
            "outputs": made,
            "code": "./code-1",
            "command": " ".join(words),
            "environment_variables": variables,
        }
        if runconfig is not None:
            environment = runconfig.environment._rendered()
            if environment is not None:
                component["environment"] = environment
        component = {key: value for key, value in component.items() if value != {}}
        client = self.workspace._client
        rendered = Rendered(
            f"{self.id}/{self.id}.json",
            json.dumps(_around(self.id, component), indent=2),
            Path.cwd(),
            {f"{self.id}/code-1": Source(root, step_files())},
        )
        loaded = load(client._http, rendered, {})
        assert loaded is not None
        ports = json.dumps({"inputs": [*declared, *literals], "outputs": list(made)})
        added = client.components._add(
            self.id,
            {"pipeline": loaded.spec},
            version=version,
            description=description,
            tags={PORTS_TAG: ports, **({"azureml.category": category} if category else {})},
            labels=[DEFAULT_LABEL] if is_default or self._default is None else [],
        )
        if is_default or self._default is None:
            self._default = added.version
        self._versions.insert(0, ModuleVersionDescriptor(added.version, f"{self.id}:{added.version}"))
        return ModuleVersion(self.workspace, added, added.version)

    publish = refused("Module.publish", "a module is a script", "publish_python_script")
    publish_adla_script = publish
    publish_azure_batch = publish

    def resolve(self, version: str | None = None) -> ModuleVersion | None:
        """A version, the default one when none is named; nothing when there is none."""
        try:
            found = self.workspace._client.components.get(self.id, version or self._default)
        except NotFoundError:
            return None
        return ModuleVersion(self.workspace, found, found.version)

    def get_default_version(self) -> str | None:
        """The version that is meant when none is named."""
        return self._default

    def get_default(self) -> ModuleVersion | None:
        """The same as an object."""
        return self.resolve()

    def set_default_version(self, version_id: str) -> None:
        """Says which version is meant when none is named."""
        self.workspace._client.components.get(self.id, version_id).label(DEFAULT_LABEL)
        self._default = version_id

    def set_description(self, description: str) -> None:
        """Changes the text of the default version."""
        found = self.resolve()
        if found is not None:
            found.set_description(description)
        self.description = description

    def set_name(self, name: str) -> None:
        """Not here: pipelines name it by its name."""
        raise not_supported("Module.set_name", "pipelines name it by its name", "publish it under another name")

    def enable(self) -> None:
        """Lets all versions be used again."""
        self._each("active")

    def disable(self) -> None:
        """Lets no version be used any more."""
        self._each("disabled")

    def deprecate(self) -> None:
        """Says that no version should be used any more."""
        self._each("deprecated")

    def _each(self, stage: str) -> None:
        for version in self.workspace._client.components[self.id].versions():
            version.describe(stage=stage)
        self.status = {"active": "Active"}.get(stage, stage.capitalize())


def _around(name: str, component: Mapping[str, Any]) -> dict[str, Any]:
    """The script as a pipeline of one step, which pipelines name as a step of theirs; the types of its inputs are said, their values come from there."""
    inputs, outputs = component.get("inputs", {}), component.get("outputs", {})
    job: dict[str, Any] = {
        "component": component,
        "inputs": {port: f"${{{{parent.inputs.{port}}}}}" for port in inputs},
        "outputs": {port: f"${{{{parent.outputs.{port}}}}}" for port in outputs},
    }
    inner = {"type": "pipeline", "inputs": inputs, "outputs": outputs, "jobs": {"step": job}}
    given = {port: {"type": declared["type"]} for port, declared in inputs.items() if "default" not in declared}
    return {"type": "pipeline", "name": name, "inputs": given, "component": inner}


def _literal(value: Any) -> dict[str, Any]:
    parameter = value if isinstance(value, PipelineParameter) else PipelineParameter("parameter", value)
    return parameter._declaration()


def _word(value: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any], literals: dict[str, Any]) -> str:
    import shlex

    if isinstance(value, PipelineParameter):
        name = as_port(value.name)
        literals.setdefault(name, value._declaration())
        return f"${{{{inputs.{name}}}}}"
    if isinstance(value, (InputPortDef, OutputPortDef)):
        name, known = as_port(value.name), inputs if isinstance(value, InputPortDef) else outputs
        if name not in known:
            raise UserErrorException(f"`{value.name}` is in the arguments but not declared", code="bad_argument")
        return f"${{{{{'inputs' if known is inputs else 'outputs'}.{name}}}}}"
    return shlex.quote(str(value))
