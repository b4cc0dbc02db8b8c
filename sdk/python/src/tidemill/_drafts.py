"""Drafts: pipelines under a name that may still be changed, kept by the coordinator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._http import part
from tidemill._runs import Run
from tidemill._values import parameter_texts, start_request
from tidemill.errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tidemill._http import Http

__all__ = ["Draft", "Drafts"]

DRAFTS = "/api/v1/drafts"


class Draft:
    """A draft as the coordinator last showed it."""

    def __init__(self, http: Http, view: Mapping[str, Any], source_of: Callable[[Any], Any]) -> None:
        self._http = http
        self._view = dict(view)
        self._source_of = source_of

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._view["name"])

    @property
    def owner(self) -> str:
        """Who made it, and may change it."""
        return str(self._view["created_by"])

    @property
    def parameters(self) -> dict[str, str]:
        """The values that its parameters have."""
        return dict(self._view["draft"].get("parameters", {}))

    @property
    def tags(self) -> dict[str, str]:
        """Its labels, which its runs get."""
        return dict(self._view["draft"].get("tags", {}))

    @property
    def view(self) -> dict[str, Any]:
        """What the API says of it."""
        return dict(self._view)

    def edit(
        self,
        *,
        pipeline: Any = None,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str | None] | None = None,
        experiment: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        continue_on_step_failure: bool | None = None,
    ) -> Draft:
        """Changes what is given; a parameter or tag that is None is taken away. Refused when somebody changed it meanwhile."""
        body = _said(parameters, tags, experiment, display_name, description, continue_on_step_failure)
        if pipeline is not None:
            body["source"] = {"pipeline": self._source_of(pipeline)}
        headers = {"if-match": f'"{self._view["revision"]}"'}
        self._view = self._http.json("PATCH", self._path, body=body, headers=headers)
        return self

    def submit(
        self,
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
        """Starts a run of it. What is given here counts for this run alone."""
        body = start_request(
            parameters,
            display_name=name,
            experiment=experiment,
            project=project,
            tags=tags,
            priority=priority,
            force_rerun=force_rerun,
            idempotency_key=idempotency_key,
        )
        return Run(self._http, self._http.json("POST", f"{self._path}/runs", body=body, repeatable=True))

    def publish(
        self, name: str | None = None, *, version: str | None = None, labels: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Freezes it as a version of a pipeline, with its parameters as the defaults; answers with the version."""
        body = {"name": name, "version": version, "labels": list(labels)}
        body = {key: value for key, value in body.items() if value is not None}
        found: dict[str, Any] = self._http.json("POST", f"{self._path}/publish", body=body, once=True)
        return found

    def remove(self) -> None:
        """Forgets it; its runs and versions stay."""
        self._http.json("DELETE", self._path)

    @property
    def _path(self) -> str:
        return f"{DRAFTS}/{part(self.name)}"

    def __repr__(self) -> str:
        return f"<Draft {self.name}>"


class Drafts:
    """The drafts of a coordinator."""

    def __init__(self, http: Http, source_of: Callable[[Any], Any]) -> None:
        self._http = http
        self._source_of = source_of

    def create(
        self,
        name: str,
        pipeline: Any = None,
        *,
        run: str | None = None,
        published: str | None = None,
        version: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        experiment: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        continue_on_step_failure: bool | None = None,
        replace: bool = False,
    ) -> Draft:
        """Makes a draft of a pipeline (drawn, or a file), of what a run was submitted with, or of a published pipeline."""
        if sum(given is not None for given in (pipeline, run, published)) != 1:
            raise ValidationError(
                "a draft is made of one thing", code="bad_source", hint="give a pipeline, run= or published="
            )
        body = _said(parameters, tags, experiment, display_name, description, continue_on_step_failure)
        if pipeline is not None:
            body["source"] = {"pipeline": self._source_of(pipeline)}
        elif run is not None:
            body["source"] = {"run": {"run": run}}
        else:
            meant = {"name": published, "version": version}
            body["source"] = {"published": {key: value for key, value in meant.items() if value is not None}}
        headers = {} if replace else {"if-none-match": "*"}
        view = self._http.json("PUT", f"{DRAFTS}/{part(name)}", body=body, headers=headers, once=True)
        return Draft(self._http, view, self._source_of)

    def get(self, name: str) -> Draft:
        """A draft by its name."""
        return Draft(self._http, self._http.json("GET", f"{DRAFTS}/{part(name)}"), self._source_of)

    def list(self, *, tag: str | None = None, sort: str | None = None) -> list[Draft]:
        """Drafts by name, or by the field `sort` with `-` before it the other way round; all or those with a tag (`NAME=VALUE`)."""
        found = self._http.json("GET", DRAFTS, query={"tag": tag, "sort": sort})
        return [Draft(self._http, view, self._source_of) for view in found]

    def __iter__(self) -> Iterator[Draft]:
        return iter(self.list())


def _said(
    parameters: Mapping[str, Any] | None,
    tags: Mapping[str, str | None] | None,
    experiment: str | None,
    display_name: str | None,
    description: str | None,
    continue_on_step_failure: bool | None,
) -> dict[str, Any]:
    gone = {name: None for name, value in (parameters or {}).items() if value is None}
    body: dict[str, Any] = {
        "parameters": {**parameter_texts(parameters), **gone},
        "tags": dict(tags or {}),
        "experiment": experiment,
        "display_name": display_name,
        "description": description,
        "continue_on_step_failure": continue_on_step_failure,
    }
    return {key: value for key, value in body.items() if value is not None}
