"""Requests and answers: one transport, retries, errors.

The transport is a parameter: anything with its one method serves, so that tests need no port. What is asked, and what an answer means, is in the files of the resources.
"""

from __future__ import annotations

import json
import random
import time
from typing import IO, TYPE_CHECKING, Any, NoReturn, Protocol
from urllib.parse import quote, urlencode

import urllib3

from tidemill import errors
from tidemill._values import fresh_key
from tidemill.errors import Problem, TidemillError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidemill._config import Config

__all__ = ["Http", "Response", "Transport", "Urllib3Transport", "part"]

TRIES_MAX = 5
WAIT_FIRST_S = 0.2
WAIT_MAX_S = 10.0
ERROR_BYTES_MAX = 1024 * 1024
PIECE_BYTES = 1024 * 1024

Query = "Mapping[str, str | int | bool | None]"
Body = "bytes | IO[bytes] | None"


class Response(Protocol):
    """An answer whose body has not been read yet."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names in any case."""

    def read(self, amount: int | None = None) -> bytes:
        """The whole body, or the next part of it; nothing at its end."""

    def close(self) -> None:
        """Gives the connection back."""


class Transport(Protocol):
    """A way to send requests."""

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None,
        timeout: float | None,
    ) -> Response:
        """Sends one request, once. Raises UnavailableError when no answer comes."""


class Urllib3Transport:
    """Requests over a pool of connections."""

    def __init__(self, ca: str | None = None) -> None:
        self._pool = (
            urllib3.PoolManager(retries=False, maxsize=16, ca_certs=ca)
            if ca
            else urllib3.PoolManager(retries=False, maxsize=16)
        )

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | IO[bytes] | None,
        timeout: float | None,
    ) -> Response:
        """Sends one request, once."""
        limit = urllib3.Timeout(connect=10, read=timeout)
        try:
            answer = self._pool.request(
                method,
                url,
                headers=dict(headers),
                body=body,
                timeout=limit,
                preload_content=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(url, error) from error
        return _Answer(answer)


class _Answer:
    def __init__(self, answer: urllib3.BaseHTTPResponse) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers

    def read(self, amount: int | None = None) -> bytes:
        try:
            # `read1` hands out what is there: streams of events must not wait for a full piece.
            if amount is None:
                return self._answer.read()
            return self._answer.read1(amount) if hasattr(self._answer, "read1") else self._answer.read(amount)
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"the answer broke off: {error}", code="broken_off") from error

    def close(self) -> None:
        # What was not read cannot be skipped: the connection is of no use to others.
        self._answer.close()
        self._answer.release_conn()


class Http:
    """Requests to one coordinator."""

    def __init__(self, config: Config, transport: Transport | None = None, timeout: float = 60.0) -> None:
        self.config = config
        self.timeout = timeout
        self._transport = transport or Urllib3Transport(config.ca)

    def json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | bool | None] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        once: bool = False,
        if_match: str | None = None,
    ) -> Any:
        """Sends JSON, answers JSON; nothing for an empty answer.

        `repeatable` says that doing it twice is harmless; by default that is so for everything but POST and PATCH. With `once` it is done once however often it is
        sent: under a key of its own, by which the coordinator knows it again. With `if_match` only what has this `etag` is changed, and ConflictError says that it has another one.
        """
        data = None if body is None else json.dumps(body).encode()
        response = self.open(
            method,
            path,
            query=query,
            body=data,
            headers={
                "accept": "application/json",
                **({"content-type": "application/json"} if data is not None else {}),
                **({"idempotency-key": fresh_key()} if once else {}),
                **({"if-match": if_match} if if_match is not None else {}),
                **(headers or {}),
            },
            repeatable=True if once else repeatable,
        )
        try:
            text = response.read()
        finally:
            response.close()
        return json.loads(text) if text else None

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | bool | None] | None = None,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        timeout: float | None = -1,
    ) -> Response:
        """Sends a request and answers with a good response, whose body is the caller's to read and close."""
        url = self.config.url + path
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        if asked:
            url += "?" + urlencode(asked)
        all_headers = {"user-agent": "tidemill-python", **(headers or {})}
        if self.config.token:
            all_headers["authorization"] = f"Bearer {self.config.token}"
        if repeatable is None:
            repeatable = method not in ("POST", "PATCH")
        limit = self.timeout if timeout == -1 else timeout
        start = body.tell() if body is not None and not isinstance(body, bytes) else 0
        for attempt in range(1, TRIES_MAX + 1):
            if body is not None and not isinstance(body, bytes):
                body.seek(start)
            last = attempt == TRIES_MAX
            try:
                response = self._transport.send(method, url, all_headers, body, limit)
            except UnavailableError:
                if last or not repeatable:
                    raise
                _pause(attempt, None)
                continue
            if response.status < 300:
                return response
            after = response.headers.get("retry-after")
            # A refusal for want of room says that nothing was done, unless it says that nobody knows.
            was_nothing_done = response.status in (429, 503) and response.headers.get("tidemill-outcome") != "unknown"
            is_passing = was_nothing_done or (response.status in (429, 502, 503, 504) and repeatable)
            if last or not is_passing:
                refuse(response)
            response.close()
            _pause(attempt, after)
        raise AssertionError("the last try returns or raises")

    def etag(self, path: str) -> str:
        """The revision of a thing as it is now."""
        response = self.open("GET", path, headers={"accept": "application/json"})
        response.close()
        return response.headers["etag"]

    def pages(self, path: str, query: Mapping[str, str | int | bool | None], limit: int | None = None) -> Iterator[Any]:
        """The items of a list that comes in pages, at most so many."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = 200 if left is None else min(left, 200)
            page = self.json("GET", path, query={**query, "limit": size, "cursor": cursor})
            items = page["items"]
            yield from items
            left = None if left is None else left - len(items)
            cursor = page.get("next_cursor")
            if cursor is None:
                return


def part(text: str) -> str:
    """One segment of a path, whatever it holds."""
    return quote(text, safe="")


def pieces(response: Response) -> Iterator[bytes]:
    """The body, as it comes."""
    while True:
        piece = response.read(PIECE_BYTES)
        if not piece:
            return
        yield piece


def refuse(response: Response) -> NoReturn:
    """Raises the error that a refusal or failure means."""
    try:
        text = response.read(ERROR_BYTES_MAX) or b""
        while len(text) < ERROR_BYTES_MAX:
            more = response.read(ERROR_BYTES_MAX)
            if not more:
                break
            text += more
    finally:
        response.close()
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    kind = _KINDS.get(response.status, TidemillError)
    if response.status >= 500:
        kind = UnavailableError
    raise kind(
        str(body.get("message") or f"the server answered with status {response.status}"),
        code=str(body.get("code") or response.status),
        hint=body.get("hint"),
        request_id=body.get("request_id") or response.headers.get("x-request-id"),
        problems=[problem(found) for found in body.get("problems", [])],
    )


def problem(found: Mapping[str, Any]) -> Problem:
    """A problem as an answer has it."""
    known = {name: found.get(name) for name in ("help", "file", "line", "column")}
    return Problem(
        code=str(found.get("code", "")),
        severity=str(found.get("severity", "error")),
        message=str(found.get("message", "")),
        path=str(found.get("path", "")),
        **known,
    )


def unreachable(url: str, error: Exception) -> UnavailableError:
    """Nobody answers."""
    return UnavailableError(
        f"no answer from {url.split('/api/')[0]}: {error}",
        code="unreachable",
        hint="is the coordinator running there? `tidemill up` starts one on this machine",
    )


_KINDS: dict[int, type[TidemillError]] = {
    400: errors.ValidationError,
    413: errors.ValidationError,
    416: errors.ValidationError,
    422: errors.ValidationError,
    401: errors.AuthError,
    403: errors.AuthError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    412: errors.ConflictError,
    429: errors.UnavailableError,
}


def _text(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _pause(attempt: int, after: str | None) -> None:
    length = min(WAIT_FIRST_S * 2 ** (attempt - 1), WAIT_MAX_S)
    length *= 0.5 + random.random() / 2  # noqa: S311 - spreads callers, guards nothing
    if after is not None and after.isdigit():
        length = max(length, min(float(after), 60.0))
    time.sleep(length)
