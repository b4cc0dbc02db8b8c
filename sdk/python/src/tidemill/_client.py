"""The way to a coordinator: submit, look, publish."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tidemill import _load
from tidemill._artifacts import Artifact
from tidemill._assets import AssetVersion, ComponentAssets, DataAssets, EnvironmentAssets, PipelineAssets
from tidemill._config import Config
from tidemill._contents import make_artifact
from tidemill._datastores import Datastores
from tidemill._drafts import Drafts
from tidemill._experiments import ComputeTargets, Experiments
from tidemill._heed import heed_or_refuse
from tidemill._http import Http, Transport, problem
from tidemill._lineage import Lineage, lineage
from tidemill._pipeline import Pipeline, PipelineFunction
from tidemill._projects import Projects
from tidemill._remarks import user
from tidemill._runs import Run, Runs, Step
from tidemill._scan import Source, scan
from tidemill._schedules import Schedules
from tidemill._values import fresh_key, parameter_values
from tidemill.errors import Problem, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidemill._load import Loaded

__all__ = ["Client", "Plan", "PlannedStep"]

SelfClient = TypeVar("SelfClient", bound="Client")


@dataclass(frozen=True)
class PlannedStep:
    """What would happen to one step."""

    path: str
    target: str
    decision: str
    reasons: tuple[str, ...]
    depends_on: tuple[str, ...]

    def __str__(self) -> str:
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return f"{self.path}: {self.decision}{why}"


@dataclass(frozen=True)
class Plan:
    """What a submission would do."""

    pipeline: str
    steps: tuple[PlannedStep, ...]
    warnings: tuple[Problem, ...]

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)


class Client:
    """A coordinator and everything that it keeps.

    Without arguments it is the one that `TIDEMILL_URL` and `TIDEMILL_TOKEN` name, else that of the command line's settings and login, else the one that runs on this
    machine. A client may be used from several threads.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        ca: str | None = None,
        insecure_plaintext: bool | None = None,
        timeout: float = 60.0,
        transport: Transport | None = None,
    ) -> None:
        config = Config.resolve(url, token, ca, insecure_plaintext)
        self._http = Http(config, transport, timeout)
        self.runs = Runs(self._http)
        self.projects = Projects(self._http)
        self.data = DataAssets(self._http, "data")
        self.models = DataAssets(self._http, "model")
        self.components = ComponentAssets(self._http)
        self.environments = EnvironmentAssets(self._http)
        self.pipelines = PipelineAssets(self._http)
        self.datastores = Datastores(self._http)
        self.drafts = Drafts(self._http, lambda pipeline: self._heeded(pipeline, None).spec)
        self.schedules = Schedules(self._http)
        self.experiments = Experiments(self._http)
        self.compute_targets = ComputeTargets(self._http)

    @property
    def url(self) -> str:
        """The coordinator's address."""
        return self._http.config.url

    def __repr__(self) -> str:
        return f"<Client {self.url}>"

    def __enter__(self: SelfClient) -> SelfClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open between requests; a client can be used as a context nevertheless."""

    def info(self) -> dict[str, Any]:
        """Who answers: version, epoch, store, broker."""
        found: dict[str, Any] = self._http.json("GET", "/api/v1")
        return found

    def whoami(self) -> dict[str, Any]:
        """In whose name requests are made, and what they may do."""
        found: dict[str, Any] = self._http.json("GET", "/api/v1/whoami")
        return found

    def workers(self, *, sort: str | None = None) -> list[dict[str, Any]]:
        """Workers as the coordinator last heard of them, by name or by the field `sort`, with `-` before it the other way round."""
        found: list[dict[str, Any]] = self._http.json("GET", "/api/v1/workers", query={"sort": sort})
        return found

    def queues(self, *, sort: str | None = None) -> list[dict[str, Any]]:
        """The queues of all compute targets, by name or by the field `sort`, with `-` before it the other way round."""
        found: list[dict[str, Any]] = self._http.json("GET", "/api/v1/queues", query={"sort": sort})
        return found

    def submit(
        self,
        pipeline: Pipeline | PipelineFunction | str | os.PathLike[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        experiment: str | None = None,
        project: str | None = None,
        tags: Mapping[str, str] | None = None,
        priority: int = 0,
        force_rerun: bool = False,
        idempotency_key: str | None = None,
    ) -> Run:
        """Starts a run of a pipeline: one drawn with `@pipeline`, or the path of a pipeline file.

        A parameter whose value is a path (`pathlib.Path`) is local data, which is taken along. Submitting again with the same `idempotency_key` gives the same run.
        What is worth knowing of the pipeline is shown as a PipelineWarning; a step of a kind that nothing runs raises NotSupportedError.
        """
        body = _submission(self._heeded(pipeline, parameters), name, experiment, tags, priority, force_rerun)
        if project is not None:
            body["project"] = project
        body["idempotency_key"] = idempotency_key or fresh_key()
        return Run(self._http, self._http.json("POST", "/api/v1/runs", body=body, repeatable=True))

    def plan(
        self,
        pipeline: Pipeline | PipelineFunction | str | os.PathLike[str],
        parameters: Mapping[str, Any] | None = None,
        *,
        force_rerun: bool = False,
    ) -> Plan:
        """What a submission would do, and why: which steps are reused, and what changed for those that are not."""
        body = _submission(self._load(pipeline, parameters), None, None, None, 0, force_rerun)
        view = self._http.json("POST", "/api/v1/plan", body=body, repeatable=True)
        steps = tuple(
            PlannedStep(
                path=step["path"],
                target=step["target"],
                decision=step["decision"],
                reasons=tuple(step.get("reasons", ())),
                depends_on=tuple(step.get("depends_on", ())),
            )
            for step in view["steps"]
        )
        return Plan(view["pipeline"], steps, tuple(problem(found) for found in view.get("warnings", [])))

    def validate(
        self,
        pipeline: Pipeline | PipelineFunction | str | os.PathLike[str],
        parameters: Mapping[str, Any] | None = None,
    ) -> list[Problem]:
        """Checks a pipeline; raises ValidationError with every problem and its place. No code and no data is sent.

        Of a pipeline that is sound it answers what is worth knowing, among it steps of a kind that nothing runs, which `submit` refuses.
        """
        rendered, given = _rendered(pipeline, parameters)
        return _load.check(self._http, rendered, given)

    def publish(
        self,
        pipeline: Pipeline | PipelineFunction | str | os.PathLike[str] | Run,
        name: str | None = None,
        *,
        version: str | int | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        labels: Sequence[str] = (),
    ) -> AssetVersion:
        """Freezes a pipeline with its code under a name; `client.pipelines[name].start(…)` starts it.

        What is worth knowing of it is shown, and what nothing runs is refused, as by `submit`.

        Of a run (`client.runs["last"]`) it is what the run was submitted with: the defaults of its parameters are the pipeline's own, not the values that the run had.
        """
        source: dict[str, Any]
        if isinstance(pipeline, Run):
            own, source = pipeline.pipeline, {"run": {"run": pipeline.id}}
        else:
            spec = self._heeded(pipeline, None).spec
            own, source = spec["name"], {"pipeline": spec}
        return self.pipelines._add(
            name or own,
            source,
            version=version,
            description=description,
            tags=tags,
            labels=labels,
        )

    def lineage(
        self,
        of: str | AssetVersion | Step | Artifact,
        *,
        kind: str | None = None,
        direction: str | None = None,
        depth: int | None = None,
        limit: int | None = None,
    ) -> Lineage:
        """What something was made of (`direction="up"`), what was made of it (`"down"`), or both.

        `of` is `NAME`, `NAME:VERSION` or `NAME@LABEL` of an asset (`kind` says of which where several have the name), `RUN/STEP`, `RUN/STEP/OUTPUT` or a digest; or a
        version of an asset, a step, an artifact. `limit` is how many nodes are answered, 200 when absent and 5,000 at most; `depth` how many edges away, 200 at most.
        """
        query: dict[str, str | int | None] = {"kind": kind, "direction": direction, "depth": depth, "limit": limit}
        return lineage(self._http, of, query)

    def upload(self, path: str | os.PathLike[str]) -> Artifact:
        """Brings a local file or folder to the store and answers with it."""
        place = Path(os.fspath(path))
        if not place.exists():
            raise ValidationError(f"there is no {place}", code="not_found")
        made = make_artifact(self._http, scan(Source(place), code=False), folder=place.is_dir())
        return Artifact(self._http, made, place.name)

    def _load(
        self,
        pipeline: Pipeline | PipelineFunction | str | os.PathLike[str],
        parameters: Mapping[str, Any] | None,
    ) -> Loaded:
        rendered, given = _rendered(pipeline, parameters)
        return _load.load(self._http, rendered, given)

    def _heeded(
        self,
        pipeline: Pipeline | PipelineFunction | str | os.PathLike[str],
        parameters: Mapping[str, Any] | None,
    ) -> Loaded:
        """A pipeline that is to run."""
        loaded = self._load(pipeline, parameters)
        heed_or_refuse(loaded.warnings)
        return loaded


def _submission(
    loaded: Loaded,
    name: str | None,
    experiment: str | None,
    tags: Mapping[str, str] | None,
    priority: int,
    force_rerun: bool,
) -> dict[str, Any]:
    body = {
        "spec": loaded.spec,
        "parameters": loaded.parameters,
        "display_name": name,
        "experiment": experiment,
        "tags": dict(tags or {}),
        "priority": priority,
        "force_rerun": force_rerun,
        "submitted_by": user(),
    }
    return {key: value for key, value in body.items() if value is not None}


def _rendered(
    pipeline: Pipeline | PipelineFunction | str | os.PathLike[str], parameters: Mapping[str, Any] | None
) -> tuple[_load.Rendered, dict[str, str | os.PathLike[str]]]:
    given = parameter_values(parameters)
    if isinstance(pipeline, PipelineFunction):
        pipeline = pipeline.draw()
    if isinstance(pipeline, Pipeline):
        return pipeline.render(), {**parameter_values(pipeline.values), **given}
    return _load.from_file(Path(os.fspath(pipeline))), given
