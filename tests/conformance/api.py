"""Tries every operation of a coordinator's API with schemathesis: what it grants is what the description says, and what it refuses is refused in the described way.

    api.py URL TOKEN_FILE DESCRIPTION FOLDER

The coordinator is given one thing of each kind, and the description an example for each operation that names them, so that requests reach more than "there is nothing of that name". The last
line says how many operations granted something; those that did not, and of which nobody says why, are listed, and the exit code is 1.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from examples import examples
from things import Server, make

HERE = Path(__file__).parent
# A stream of a run that goes on never ends; as a list it does.
STREAM = "/api/v1/runs/{run}/events"
# A stream that never ends, whatever is asked.
ENDLESS = "/api/v1/queues/events"
# Operations that never grant this what it asks for, and why.
NEVER_GRANTED = {
    f"GET {ENDLESS}": "it never ends",
    "GET /api/v1/worker": "only a worker that signs",
    "POST /api/v1/worker/secrets": "only a worker that signs",
    "POST /api/v1/workers/{worker}/enrol": "only with a token to join",
    "DELETE /api/v1/workers/{worker}": "only one that has joined; this one is the coordinator's own",
    "POST /api/v1/webhooks/{name}/test": "nobody takes what it sends",
    "POST /api/v1/mailings/{name}/test": "the same",
    "PUT /api/v1/trees/{digest}": "the bytes of a tree are no text; the package for Python sends them",
}


def with_examples(description: dict[str, Any], wanted: dict[str, dict[str, Any]]) -> None:
    """Writes the examples into the description; one that fits nowhere is a mistake."""
    for place, values in wanted.items():
        method, path = place.split(" ", 1)
        operation = description["paths"][path][method.lower()]
        left = dict(values)
        for parameter in operation.get("parameters", []):
            if parameter["name"] in left:
                parameter["example"] = left.pop(parameter["name"])
        if "body" in left:
            (content,) = operation["requestBody"]["content"].values()
            content["example"] = left.pop("body")
        if left:
            raise SystemExit(f"{place} has no {', '.join(left)}")


def run(url: str, token: str, description: Path, *more: str) -> dict[str, Any]:
    """Runs schemathesis once; its report. What it found is printed, and is the end."""
    report = description.with_name("report.json")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(HERE / "schemathesis.toml"), "--no-color"),
        *("run", str(description), "--url", url, "--header", f"Authorization: Bearer {token}"),
        *("--report", "json", "--report-json-path", str(report), *more),
    ]
    ended = subprocess.run(command, cwd=description.parent, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{ended.stdout}\n{ended.stderr}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def main(url: str, token_file: str, description_file: str, folder: str) -> None:
    """Tries everything once."""
    token = Path(token_file).read_text().strip()
    description = json.loads(Path(description_file).read_text())
    wanted = examples(make(Server(url, token)))
    with_examples(description, wanted)
    tried = Path(folder) / "description.json"
    tried.write_text(json.dumps(description))
    reports = [
        run(url, token, tried, "--include-path", STREAM, "--phases", "examples"),
        run(url, token, tried, "--include-path", STREAM, "--header", "Accept: application/json"),
        run(url, token, tried, "--exclude-path", STREAM, "--exclude-path", ENDLESS, "--phases", "examples,coverage,fuzzing"),
    ]
    granted: dict[str, int] = {}
    for place, phases in (rate for report in reports for rate in report["valid_rates"].items()):
        granted[place] = granted.get(place, 0) + sum(phase["accepted"] for phase in phases.values())
    operations = {f"{method.upper()} {path}" for path, item in description["paths"].items() for method in item}
    silent = sorted(place for place in wanted if not granted.get(place))
    for place in silent:
        print(f"{place} granted nothing")
    strange = sorted(place for place in operations - wanted.keys() - NEVER_GRANTED.keys() if not granted.get(place))
    for place in strange:
        print(f"{place} has no example, and granted nothing")
    requests = sum(report["test_cases"]["generated"] for report in reports)
    print(f"{sum(map(bool, granted.values()))} of {len(operations)} operations granted something, {requests} requests")
    sys.exit(1 if silent or strange else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
