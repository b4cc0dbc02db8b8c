"""Lineage: what something was made of, and what was made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill._artifacts import Artifact
from tidemill._assets import AssetVersion
from tidemill._runs import Step
from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidemill._http import Http

__all__ = ["Lineage", "LineageEdge", "LineageNode", "lineage"]

DIGEST_CHARS = 12
RUN_CHARS = 13


@dataclass(frozen=True)
class LineageNode:
    """One thing in a lineage: an artifact, an asset, a step, a run, an address, or something unknown."""

    id: str
    kind: str
    name: str
    depth: int
    run: str | None = None
    step: str | None = None
    status: str | None = None
    asset: str | None = None
    asset_kind: str | None = None
    version: str | None = None

    @property
    def short(self) -> str:
        """Its name with digests and runs cut to what people compare."""
        if self.kind == "artifact":
            return self.name[:DIGEST_CHARS]
        if self.kind == "step" and self.run:
            return f"{self.run[:RUN_CHARS]}/{self.step}"
        return self.name

    @classmethod
    def of(cls, view: Mapping[str, Any]) -> LineageNode:
        """A node as the API has it."""
        optional = ("run", "step", "status", "asset", "asset_kind", "version")
        known = {name: view.get(name) for name in optional}
        return cls(id=view["id"], kind=view["kind"], name=view["name"], depth=view["depth"], **known)


@dataclass(frozen=True)
class LineageEdge:
    """What led from one thing to another, and as what: an input's or output's name, `code`, `environment` and their like."""

    source: str
    target: str
    role: str


@dataclass(frozen=True)
class Lineage:
    """A graph whose edges lead the way that data went. `is_truncated` says that there is more than was asked for, or looked at."""

    roots: tuple[LineageNode, ...]
    nodes: tuple[LineageNode, ...]
    edges: tuple[LineageEdge, ...]
    is_truncated: bool

    @property
    def assets(self) -> list[str]:
        """The versions of the catalog in it, as `NAME:VERSION`."""
        return [f"{node.asset}:{node.version}" for node in self.nodes if node.kind == "asset"]

    @property
    def steps(self) -> list[str]:
        """The steps in it, as `RUN/STEP`."""
        return [f"{node.run}/{node.step}" for node in self.nodes if node.kind == "step"]

    def __str__(self) -> str:
        names = {node.id: node.short for node in self.nodes}
        return "\n".join(
            f"{names.get(edge.source, edge.source)} -> {names.get(edge.target, edge.target)} ({edge.role})"
            for edge in self.edges
        )


def lineage(http: Http, of: object, query: Mapping[str, str | int | None]) -> Lineage:
    """Asks for the lineage of something."""
    name, kind = _named(of)
    asked = {"kind": kind, **{key: value for key, value in query.items() if value is not None}}
    view = http.json("GET", "/api/v1/lineage", query={"of": name, **asked})
    nodes = tuple(LineageNode.of(node) for node in view["nodes"])
    return Lineage(
        roots=tuple(node for node in nodes if node.id in view["roots"]),
        nodes=nodes,
        edges=tuple(LineageEdge(edge["from"], edge["to"], edge["role"]) for edge in view["edges"]),
        is_truncated=bool(view["truncated"]),
    )


def _named(of: object) -> tuple[str, str | None]:
    """How something is called where lineage is asked for, and as which kind of asset."""
    if isinstance(of, AssetVersion):
        return f"{of.name}:{of.version}", of.kind
    if isinstance(of, Step):
        return f"{of.run.id}/{of.path}", None
    if isinstance(of, Artifact):
        return of.digest, None
    if isinstance(of, str):
        return of, None
    raise ValidationError(
        f"{of!r} has no lineage",
        code="bad_subject",
        hint="give NAME:VERSION, RUN/STEP/OUTPUT or a digest, a version of an asset, a step or an artifact",
    )
