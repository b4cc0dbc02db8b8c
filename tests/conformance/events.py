"""A service that takes OpenLineage's events, and judges each with the classes of OpenLineage's own client.

    events.py FOLDER

It prints the address at which it listens, and writes each event as a line of FOLDER/events.jsonl, with what is wrong with it under `problem` where something is. It goes on until it is ended.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from enum import Enum
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import attr
from openlineage.client import event_v2, facet_v2
from openlineage.client.serde import Serde

FACETS: dict[str, type[Any]] = {
    "parent": facet_v2.parent_run.ParentRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
}


def made(wanted: Any, value: Any, place: str) -> Any:
    """The value as the client's own classes have it."""
    if typing.get_origin(wanted) in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(wanted) if option is not type(None)]
        (wanted,) = options
    if typing.get_origin(wanted) is list:
        (item,) = typing.get_args(wanted)
        return [made(item, one, f"{place}[{number}]") for number, one in enumerate(value)]
    if typing.get_origin(wanted) is dict:
        if not place.lower().endswith("facets"):
            raise ValueError(f"{place}: what is this?")
        return {name: made(FACETS[name], facet, f"{place}.{name}") for name, facet in value.items()}
    if attr.has(wanted):
        return an_object(wanted, value, place)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted(value)
    if not isinstance(value, wanted):
        raise ValueError(f"{place} is {value!r}, not {wanted}")
    return value


def an_object(wanted: Any, value: dict[str, Any], place: str) -> Any:
    """An object of one of the client's classes; a field that it does not know is an error."""
    hints = typing.get_type_hints(wanted)
    known = {field.name: field for field in attr.fields(wanted)}
    strange = value.keys() - known.keys()
    if strange:
        raise ValueError(f"{place} has {', '.join(sorted(strange))}, which {wanted.__name__} does not know")
    given = {
        known[name].alias: made(hints[name], inner, f"{place}.{name}")
        for name, inner in value.items()
        if known[name].init
    }
    found = wanted(**given)
    for name, inner in value.items():
        if not known[name].init and getattr(found, name) != inner:
            raise ValueError(f"{place}.{name} is {inner}, the client's is {getattr(found, name)}")
    return found


def bare(value: Any) -> Any:
    """The same without what is empty."""
    if isinstance(value, dict):
        kept = {key: bare(inner) for key, inner in value.items()}
        return {key: inner for key, inner in kept.items() if inner not in (None, {}, [])}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


def problem(event: Any) -> str | None:
    """What is wrong with an event."""
    try:
        again = Serde.to_dict(made(event_v2.RunEvent, event, "event"))
    except (KeyError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None if bare(again) == bare(event) else f"the client would send {json.dumps(again)}"


class Receiver(BaseHTTPRequestHandler):
    """Takes events."""

    file: Path

    def do_POST(self) -> None:
        """One event."""
        event = json.loads(self.rfile.read(int(self.headers["content-length"])))
        wrong = problem(event) if self.path == "/api/v1/lineage" else f"sent to {self.path}"
        with self.file.open("a") as events:
            events.write(json.dumps({"event": event, "problem": wrong}) + "\n")
        self.send_response(201 if wrong is None else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def main(folder: str) -> None:
    """Listens."""
    Receiver.file = Path(folder) / "events.jsonl"
    Receiver.file.touch()
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    print(f"listening at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
