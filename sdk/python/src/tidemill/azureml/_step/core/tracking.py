"""Requests to the tracking server that `MLFLOW_TRACKING_URI` and `MLFLOW_RUN_ID` name. A server that is not there or does not answer is told of on stderr, once, and is no reason for a step to fail."""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Optional, Set

__all__ = ["Tracking", "here"]

REQUEST_S = 30.0
METRICS_MAX = 500
TAG_CHARS_MAX = 4000
_told: Set[str] = set()


class Tracking:
    """One run of a tracking server."""

    def __init__(self, server: str, run: str, token: Optional[str]) -> None:
        self.server = server.rstrip("/")
        self.run = run
        self._token = token

    def log(self, metrics: List[Dict[str, Any]]) -> None:
        """Records numbers; each is a mapping with key, value and step."""
        now = int(time.time() * 1000)
        for start in range(0, len(metrics), METRICS_MAX):
            batch = [{"timestamp": now, **metric} for metric in metrics[start : start + METRICS_MAX]]
            self.quietly("runs/log-batch", {"run_id": self.run, "metrics": batch})

    def tag(self, key: str, value: str) -> None:
        """Records a text."""
        self.quietly("runs/set-tag", {"run_id": self.run, "key": key, "value": value[:TAG_CHARS_MAX]})

    def untag(self, key: str) -> None:
        """Removes a text."""
        self.quietly("runs/delete-tag", {"run_id": self.run, "key": key})

    def change(self, **what: Any) -> None:
        """Changes how it stands, or its name."""
        self.quietly("runs/update", {"run_id": self.run, **what})

    def below(self, name: str) -> "Tracking":
        """A run of its own below this one."""
        body = {
            "experiment_id": os.environ.get("MLFLOW_EXPERIMENT_ID", "0"),
            "run_name": name,
            "tags": [{"key": "mlflow.parentRunId", "value": self.run}],
        }
        made = self.ask("runs/create", body)["run"]["info"]["run_id"]
        return Tracking(self.server, made, self._token)

    def view(self) -> Dict[str, Any]:
        """What the server says of the run."""
        found = self.ask("runs/get?" + urllib.parse.urlencode({"run_id": self.run}), None)
        view: Dict[str, Any] = found["run"]
        return view

    def quietly(self, path: str, body: Dict[str, Any]) -> bool:
        """Asks for something without which the step goes on."""
        try:
            self.ask(path, body)
        except (OSError, ValueError) as error:
            say_once("what is logged is not recorded: " + str(error))
            return False
        return True

    def ask(self, path: str, body: Optional[Dict[str, Any]]) -> Any:
        """Sends JSON, answers JSON."""
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self.send("GET" if data is None else "POST", "/api/2.0/mlflow/" + path, data) or b"{}")

    def put(self, path: str, data: bytes) -> None:
        """Sends a file."""
        self.send("PUT", "/api/2.0/mlflow-artifacts/artifacts/" + urllib.parse.quote(path), data)

    def send(self, method: str, path: str, data: Optional[bytes]) -> bytes:
        """Sends one request."""
        headers = {"content-type": "application/json" if method != "PUT" else "application/octet-stream"}
        if self._token:
            headers["authorization"] = "Bearer " + self._token
        request = urllib.request.Request(self.server + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError as error:
            raise OSError(f"{error}: {error.read(2000).decode('utf-8', 'replace')}") from error


def here() -> Optional[Tracking]:
    """The run of this process, if it was given one."""
    server, run = os.environ.get("MLFLOW_TRACKING_URI", ""), os.environ.get("MLFLOW_RUN_ID", "")
    if not server.startswith(("http://", "https://")) or not run:
        return None
    return Tracking(server, run, os.environ.get("MLFLOW_TRACKING_TOKEN"))


def say_once(text: str) -> None:
    """Says something on stderr, once."""
    if text not in _told:
        _told.add(text)
        sys.stderr.write("tidemill: " + text + "\n")
