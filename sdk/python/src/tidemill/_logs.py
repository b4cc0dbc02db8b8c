"""What a step wrote to one of its streams, whole or as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tidemill._events import PIECE_BYTES
from tidemill.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidemill._http import Http

__all__ = ["RECONNECT_FIRST_S", "RECONNECT_MAX_S", "Log"]

RECONNECT_FIRST_S = 0.5
RECONNECT_MAX_S = 15.0


class Log:
    """What a step wrote to one of its streams: iterate over its lines, or read it whole.

    A log that is followed goes on until the attempt has ended.
    """

    def __init__(self, http: Http, path: str, query: Mapping[str, str | int | bool | None]) -> None:
        self._http = http
        self._path = path
        self._query = dict(query)

    def __iter__(self) -> Iterator[str]:
        """Its lines without their ends."""
        rest = b""
        for piece in self._pieces():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace").removesuffix("\r")
        if rest:
            yield rest.decode("utf-8", "replace")

    def read_bytes(self) -> bytes:
        """All of it."""
        return b"".join(self._pieces())

    def read_text(self) -> str:
        """All of it, as text."""
        return self.read_bytes().decode("utf-8", "replace")

    __str__ = read_text

    def _pieces(self) -> Iterator[bytes]:
        """All of it as it comes; a connection that breaks is taken up where it broke."""
        offset = int(self._query.get("offset") or 0)
        follow = bool(self._query.get("follow"))
        wait = RECONNECT_FIRST_S
        while True:
            try:
                # A quiet step may write nothing for hours.
                response = self._http.open(
                    "GET",
                    self._path,
                    query={**self._query, "offset": offset or None},
                    timeout=None if follow else -1,
                )
                try:
                    while piece := response.read(PIECE_BYTES):
                        offset += len(piece)
                        wait = RECONNECT_FIRST_S
                        yield piece
                finally:
                    response.close()
            except UnavailableError:
                if not follow or wait > RECONNECT_MAX_S:
                    raise
                time.sleep(wait)
                wait *= 2
            else:
                return
