"""Datastores: named places outside the artifact store. Their credentials are names of secrets; no value passes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tidemill._http import part
from tidemill._views import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidemill._http import Http

__all__ = ["Datastore", "Datastores", "Tested"]

DATASTORES = "/api/v1/datastores"


class Tested(NamedTuple):
    """What came of asking a datastore."""

    is_reached: bool
    message: str


class Datastore(View):
    """A datastore as the coordinator last showed it."""

    @property
    def name(self) -> str:
        """Its name: `azureml://datastores/NAME/paths/…` in pipelines."""
        return str(self._view["name"])

    @property
    def kind(self) -> str:
        """local, s3, azure, gcs or http."""
        return str(self._view["kind"])

    @property
    def url(self) -> str:
        """Its root."""
        return str(self._view["definition"]["url"])

    @property
    def description(self) -> str:
        """Free text."""
        return str(self._view["definition"].get("description", ""))

    @property
    def secrets(self) -> dict[str, str]:
        """Options that are secrets, each with the secret's name."""
        return dict(self._view["definition"].get("secrets", {}))

    def path(self, path: str = "") -> str:
        """The address of a place in it, for a parameter of a pipeline or the destination of a copy."""
        return f"azureml://datastores/{self.name}/paths/{path.strip('/')}"

    def test(self) -> Tested:
        """Whether it can be read from the coordinator's machine; takes an operator. Nothing is written."""
        found = self._http.json("POST", f"{self._path}/test", repeatable=True)
        return Tested(bool(found["is_reached"]), str(found["message"]))

    def remove(self) -> None:
        """Forgets it; takes an operator. Runs that were submitted keep the address that they were given."""
        self._http.json("DELETE", self._path)

    @property
    def _path(self) -> str:
        return f"{DATASTORES}/{part(self.name)}"

    def __repr__(self) -> str:
        return f"<Datastore {self.name} {self.url}>"


class Datastores:
    """The datastores of a coordinator. To change one takes an operator."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def create(
        self,
        name: str,
        url: str,
        *,
        options: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        description: str = "",
        replace: bool = False,
    ) -> Datastore:
        """Defines a datastore: `file:///path`, `s3://bucket/prefix`, `az://container/prefix`, `abfss://…`, `gs://bucket/prefix`, or `https://host/path` to be read only.

        `options` are what the store's kind knows (`{"aws_region": "eu-1"}`), `secrets` options whose values are secrets of the coordinator, by the secrets' names.
        """
        body = {
            "url": url,
            "options": dict(options or {}),
            "secrets": dict(secrets or {}),
            "description": description,
        }
        headers = {} if replace else {"if-match": '"0"'}
        view = self._http.json("PUT", f"{DATASTORES}/{part(name)}", body=body, headers=headers, once=True)
        return Datastore(self._http, view)

    def get(self, name: str) -> Datastore:
        """A datastore by its name."""
        return Datastore(self._http, self._http.json("GET", f"{DATASTORES}/{part(name)}"))

    __getitem__ = get

    def list(self, *, sort: str | None = None) -> list[Datastore]:
        """All of them, by name or by the field `sort`, with `-` before it the other way round."""
        return [Datastore(self._http, view) for view in self._http.json("GET", DATASTORES, query={"sort": sort})]

    def __iter__(self) -> Iterator[Datastore]:
        return iter(self.list())
