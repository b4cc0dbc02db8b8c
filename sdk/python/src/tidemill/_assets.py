"""The catalog: data, models, components, environments and pipelines under names with versions.

A collection of one kind is on the client (`client.models`); an asset in it has versions, and labels that point at them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill._artifacts import Artifact
from tidemill._contents import make_artifact
from tidemill._events import required_moment
from tidemill._heed import heed
from tidemill._http import part
from tidemill._load import from_file, load
from tidemill._runs import Run
from tidemill._scan import Source, scan
from tidemill._values import start_request
from tidemill._views import NamedView
from tidemill.errors import NotFoundError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tidemill._http import Http

__all__ = [
    "Asset",
    "AssetVersion",
    "Assets",
    "ComponentAssets",
    "DataAssets",
    "EnvironmentAssets",
    "PipelineAssets",
    "PublishedPipeline",
]


class AssetVersion(NamedView):
    """One version of an asset. What it is never changes; its description, tags, stage and labels may."""

    @property
    def version(self) -> str:
        """The version."""
        return str(self._view["version"])

    @property
    def labels(self) -> list[str]:
        """Labels that point at it."""
        return list(self._view.get("labels", []))

    @property
    def tags(self) -> dict[str, str]:
        """People's labels for it."""
        return dict(self._view.get("tags", {}))

    @property
    def stage(self) -> str:
        """active, deprecated or disabled."""
        return str(self._view["stage"])

    @property
    def model_stage(self) -> str | None:
        """The stage of a model in the registry: none, staging, production or archived."""
        stage = self._view.get("model_stage")
        return None if stage is None else str(stage)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """What was measured of a model: of the logged model that it is, else by the run or step that made it.

        Rows with key, value, iteration, at, tracked_run, and the name of the dataset, where it is known.
        """
        if self.kind == "model" and "metrics" not in self._view:
            # A list of versions does not tell.
            self._refresh()
        return [_measured(metric) for metric in self._view.get("metrics", [])]

    @property
    def origin(self) -> dict[str, str]:
        """The run, step and output that it came from, as far as known."""
        return {name: value for name, value in self._view.get("origin", {}).items() if value is not None}

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """What a pipeline or component may be given."""
        body = self._body()
        return list(body.get("parameters", [])) if isinstance(body, dict) else []

    @property
    def artifact(self) -> Artifact:
        """The files of data or a model that are in the store."""
        location = self._body().get("location", {}) if self.kind in ("data", "model") else {}
        if "content" not in location:
            raise ValidationError(
                f"{self.name} {self.version} has no files in the store",
                code="no_files",
                hint=f"it is {location or self.kind}",
            )
        return Artifact(self._http, location["content"], self.name)

    def download(self, to: str | os.PathLike[str] | None = None) -> Path:
        """Brings its files to this machine."""
        return self.artifact.download(to)

    @property
    def etag(self) -> str:
        """The revision of the asset with all its versions and labels, for `if_match`: a change is refused when somebody else made one meanwhile."""
        return self._http.etag(self._path)

    def label(self, *labels: str) -> AssetVersion:
        """Points labels at it."""
        for label in labels:
            self._http.json("PUT", f"{self._asset_path}/labels/{part(label)}", body={"version": self.version})
        return self._refresh()

    def describe(
        self,
        *,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
        stage: str | None = None,
        if_match: str | None = None,
    ) -> AssetVersion:
        """Changes its description, tags (a tag is removed by None) or stage."""
        body: dict[str, Any] = {
            name: value for name, value in (("description", description), ("stage", stage)) if value is not None
        }
        if tags:
            body["tags"] = dict(tags)
        self._view = self._http.json("PATCH", self._path, body=body, if_match=if_match)
        return self

    def promote(self, stage: str, *, archive_existing: bool = False, if_match: str | None = None) -> AssetVersion:
        """Brings a model into a stage of the registry, and with `archive_existing` archives the other versions in it."""
        body = {"model_stage": stage, "archive_existing": archive_existing}
        self._view = self._http.json("PATCH", self._path, body=body, if_match=if_match)
        return self

    def remove(self, *, if_match: str | None = None) -> None:
        """Removes it, and the labels that point at it; takes an operator."""
        self._http.json("DELETE", self._path, if_match=if_match)

    def __repr__(self) -> str:
        return f"<AssetVersion {self.kind} {self.name}:{self.version}>"

    @property
    def _path(self) -> str:
        return f"{self._asset_path}/versions/{part(self.version)}"

    def _body(self) -> Any:
        return next(iter(self._view["body"].values()))

    def _refresh(self) -> AssetVersion:
        self._view = self._http.json("GET", self._path)
        return self


def _measured(metric: Mapping[str, Any]) -> dict[str, Any]:
    last = metric["last"]
    return {
        "key": metric["key"],
        "value": float(last["value"]),
        "iteration": int(last["step"]),
        "at": required_moment(last["time"]),
        "tracked_run": metric["tracked_run"],
        "dataset": metric.get("dataset"),
    }


class Asset(NamedView):
    """A named thing with versions."""

    @property
    def labels(self) -> dict[str, str]:
        """Labels, each with the version that it points at."""
        return dict(self._view.get("labels", {}))

    @property
    def model_stages(self) -> dict[str, str]:
        """The newest version of a model in each stage of the registry that has one."""
        return dict(self._view.get("model_stages", {}))

    @property
    def former_names(self) -> list[str]:
        """Names that it had, and that still mean it."""
        return list(self._view.get("former_names", []))

    def rename(self, name: str, *, if_match: str | None = None) -> Asset:
        """Gives it another name. The old one goes on to mean it."""
        self._view = self._http.json("PATCH", self._asset_path, body={"name": name}, if_match=if_match)
        return self

    @property
    def latest(self) -> AssetVersion:
        """The version that was added last."""
        return self["latest"]

    def versions(
        self, *, stage: str | None = None, sort: str | None = None, limit: int | None = None
    ) -> Iterator[AssetVersion]:
        """Its versions, the newest first.

        `sort` is `created_at`, `created_by`, `version` or `stage`, with `-` before it the other way round.
        """
        for view in self._http.pages(f"{self._asset_path}/versions", {"stage": stage, "sort": sort}, limit):
            yield AssetVersion(self._http, view)

    def __getitem__(self, version: str | int) -> AssetVersion:
        """A version by itself or by a label."""
        return AssetVersion(self._http, self._http.json("GET", f"{self._asset_path}/versions/{part(str(version))}"))

    def __repr__(self) -> str:
        return f"<Asset {self.kind} {self.name}>"


class Assets:
    """The assets of one kind."""

    kind = "component"

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, name: str, version: str | int | None = None) -> AssetVersion:
        """A version of an asset: by itself, by a label, or the one that was added last."""
        path = f"/api/v1/assets/{self.kind}/{part(name)}/versions/{part(str(version if version is not None else 'latest'))}"
        return AssetVersion(self._http, self._http.json("GET", path))

    def __getitem__(self, name: str) -> Asset:
        """An asset by its name."""
        return Asset(self._http, self._http.json("GET", f"/api/v1/assets/{self.kind}/{part(name)}"))

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except NotFoundError:
            return False
        return True

    def list(
        self, *, prefix: str | None = None, tag: str | None = None, sort: str | None = None, limit: int | None = None
    ) -> Iterator[Asset]:
        """Assets in the order of their names.

        `sort` is `name`, `created_at`, `created_by` or `versions`, with `-` before it the other way round.
        """
        query = {"prefix": prefix, "tag": tag, "sort": sort}
        for view in self._http.pages(f"/api/v1/assets/{self.kind}", query, limit):
            yield Asset(self._http, view)

    def __iter__(self) -> Iterator[Asset]:
        """All of them."""
        return self.list()

    def _add(
        self,
        name: str,
        source: Mapping[str, Any],
        *,
        version: str | int | None,
        description: str,
        tags: Mapping[str, str] | None,
        labels: Sequence[str],
    ) -> AssetVersion:
        body: dict[str, Any] = {
            "source": dict(source),
            "description": description,
            "tags": dict(tags or {}),
            "labels": list(labels),
        }
        if version is not None:
            body["version"] = str(version)
        path = f"/api/v1/assets/{self.kind}/{part(name)}/versions"
        added = self._http.json("POST", path, body=body, once=True)
        return AssetVersion(self._http, added)


class ComponentAssets(Assets):
    """Components."""

    def register(
        self,
        name: str,
        file: str | os.PathLike[str],
        *,
        version: str | int | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        labels: Sequence[str] = (),
    ) -> AssetVersion:
        """Adds a version of a component's file, with its code; pipelines name it `azureml:NAME:VERSION`."""
        loaded = load(self._http, from_file(Path(os.fspath(file)), component=True), {})
        heed(loaded.warnings)
        source = {"pipeline": loaded.spec}
        return self._add(name, source, version=version, description=description, tags=tags, labels=labels)


class DataAssets(Assets):
    """Data or models."""

    def __init__(self, http: Http, kind: str) -> None:
        super().__init__(http)
        self.kind = kind

    def register(
        self,
        name: str,
        source: str | os.PathLike[str] | Artifact,
        *,
        type: str | None = None,
        version: str | int | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        labels: Sequence[str] = (),
    ) -> AssetVersion:
        """Adds a version: of a local file or folder, an output of a step, or an address (`s3://…`, which needs a `type`)."""
        found: dict[str, Any]
        if isinstance(source, Artifact):
            found = {"content": {"artifact": source.reference}}
        elif isinstance(source, str) and "://" in source:
            if type is None:
                raise ValidationError(
                    "what is behind an address needs a type",
                    code="no_type",
                    hint='for example type="uri_folder"',
                )
            found = {"uri": {"uri": source}}
        else:
            path = Path(os.fspath(source))
            if not path.exists():
                raise NotFoundError(f"there is no {path}", code="not_found")
            made = make_artifact(self._http, scan(Source(path), code=False), folder=path.is_dir())
            found = {"content": {"artifact": made}}
        if type is not None:
            next(iter(found.values()))["type"] = type
        return self._add(name, found, version=version, description=description, tags=tags, labels=labels)

    def register_output(
        self,
        name: str,
        run: Run | str,
        step: str,
        output: str,
        *,
        version: str | int | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        labels: Sequence[str] = (),
    ) -> AssetVersion:
        """Adds a version of an output of a step; it remembers where it came from."""
        source = {"output": {"run": run.id if isinstance(run, Run) else run, "step": step, "output": output}}
        return self._add(name, source, version=version, description=description, tags=tags, labels=labels)


class EnvironmentAssets(Assets):
    """Environments."""

    kind = "environment"

    def register(
        self,
        name: str,
        *,
        image: str | None = None,
        python: str | None = None,
        requirements: Sequence[str] = (),
        version: str | int | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        labels: Sequence[str] = (),
    ) -> AssetVersion:
        """Adds a version: an image, a Python with requirements, or both."""
        environment: dict[str, Any] = {"name": name, "image": image, "python": None}
        if python is not None or requirements:
            environment["python"] = {"version": python, "requirements": list(requirements)}
        source = {"environment": environment}
        return self._add(name, source, version=version, description=description, tags=tags, labels=labels)


class PublishedPipeline(Asset):
    """A published pipeline, which anybody may start."""

    def start(
        self,
        parameters: Mapping[str, Any] | None = None,
        *,
        version: str | int | None = None,
        name: str | None = None,
        experiment: str | None = None,
        project: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        force_rerun: bool = False,
        continue_on_step_failure: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Starts a run of a version: the one labelled `default`, or without such a label the latest, unless one is named."""
        body = start_request(
            parameters,
            display_name=name,
            experiment=experiment,
            project=project,
            tags=tags,
            priority=priority,
            force_rerun=force_rerun,
            continue_on_step_failure=continue_on_step_failure,
            idempotency_key=idempotency_key,
        )
        path = f"/api/v1/pipelines/{part(self.name)}/runs"
        query = {"version": str(version) if version is not None else None}
        return Run(self._http, self._http.json("POST", path, query=query, body=body, repeatable=True))


class PipelineAssets(Assets):
    """Published pipelines."""

    kind = "pipeline"

    def __getitem__(self, name: str) -> PublishedPipeline:
        """A published pipeline by its name."""
        return PublishedPipeline(self._http, self._http.json("GET", f"/api/v1/assets/pipeline/{part(name)}"))
