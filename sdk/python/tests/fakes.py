"""A coordinator for tests without a port: answers are written down beside the requests that they are for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from tidemill._config import Config
from tidemill._http import Http
from tidemill.errors import UnavailableError


@dataclass
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_after: int | None = None
    _at: int = 0

    def read(self, amount: int | None = None) -> bytes:
        if self.breaks_after is not None and self._at >= self.breaks_after:
            raise UnavailableError("the answer broke off", code="broken_off")
        end = len(self.body) if self.breaks_after is None else self.breaks_after
        stop = end if amount is None else min(end, self._at + amount)
        piece = self.body[self._at : stop]
        self._at = stop
        return piece

    def close(self) -> None:
        pass


def answer(body: Any = None, status: int = 200, **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Answer(data, status, {name.replace("_", "-"): value for name, value in headers.items()})


Handler = Callable[[Request], "Answer | Exception"]


class Fake:
    """A transport that answers from a table of (method, path without query) → answers, each used once; the last one stays."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._table: dict[tuple[str, str], list[Answer | Exception | Handler]] = {}

    def on(self, method: str, path: str, *answers: Answer | Exception | Handler) -> Fake:
        self._table.setdefault((method, path), []).extend(answers)
        return self

    def replace(self, method: str, path: str, *answers: Answer | Exception | Handler) -> Fake:
        """Other answers from now on."""
        self._table[method, path] = list(answers)
        return self

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | IO[bytes] | None, timeout: float | None
    ) -> Answer:
        path = url.removeprefix("http://127.0.0.1:1")
        data = b"" if body is None else body if isinstance(body, bytes) else body.read()
        request = Request(method, path, headers, data)
        self.requests.append(request)
        listed = self._table.get((method, path.partition("?")[0]))
        if not listed:
            raise AssertionError(f"nobody expected {method} {path}")
        found = listed.pop(0) if len(listed) > 1 else listed[0]
        if callable(found) and not isinstance(found, Answer):
            found = found(request)
        if isinstance(found, Exception):
            raise found
        return Answer(found.body, found.status, found.headers, found.breaks_after)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


def http_of(fake: Fake, token: str | None = None) -> Http:
    return Http(Config("http://127.0.0.1:1", token, None), fake)
