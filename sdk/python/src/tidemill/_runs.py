"""Runs, their steps and attempts: one walks from a run to a step to an output. Nothing is decided here; each look asks the coordinator.

How a run is shown in a notebook is in `_show`.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from tidemill import _show
from tidemill._artifacts import Artifact
from tidemill._attempts import Attempt
from tidemill._events import Event, events, required_moment
from tidemill._http import part
from tidemill._logs import RECONNECT_FIRST_S, RECONNECT_MAX_S, Log
from tidemill._metrics import rows
from tidemill._pandas import pandas_or
from tidemill._remarks import Comment, user
from tidemill._views import ProgressView
from tidemill.errors import NotFoundError, RunFailedError, UnavailableError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tidemill._http import Http

__all__ = ["Attempt", "Run", "Runs", "Step"]

GOOD = ("succeeded", "reused")
TERMINAL = ("succeeded", "failed", "cancelled", "aborted")


class Step(ProgressView):
    """A step of a run, as it stood when it was looked at."""

    def __init__(self, run: Run, view: Mapping[str, Any]) -> None:
        super().__init__(run._http, view)
        self.run = run

    @property
    def path(self) -> str:
        """Its name in the run: `train`, or `outer.inner` in a nested pipeline."""
        return str(self._view["path"])

    @property
    def target(self) -> str:
        """Its compute target."""
        return str(self._view["target"])

    @property
    def depends_on(self) -> list[str]:
        """The steps before it."""
        return list(self._view.get("depends_on", []))

    @property
    def reused_from(self) -> str | None:
        """Of a reused step: the run and step whose result it took over."""
        found = self._view.get("reused_from")
        return str(found) if found is not None else None

    @property
    def attempts(self) -> list[Attempt]:
        """Its attempts, oldest first."""
        return [Attempt.of(view) for view in self._view.get("attempts", [])]

    @property
    def outputs(self) -> dict[str, Artifact]:
        """Its outputs, once it ended well."""
        found = self._view.get("outputs", {})
        return {name: Artifact(self._http, reference, f"{self.path}/{name}") for name, reference in found.items()}

    @property
    def inputs(self) -> dict[str, Artifact | str]:
        """What it was given, as far as it is known: files as artifacts, anything else as text."""
        given: dict[str, Artifact | str] = {}
        for view in self._view.get("inputs", []):
            artifact = view.get("artifact")
            name = view["name"]
            given[name] = Artifact(self._http, artifact, f"{self.path}/{name}") if artifact else view.get("source", "")
        return given

    def logs(self, *, stream: str = "stdout", follow: bool = False, attempt: int | None = None) -> Log:
        """What it wrote to `stdout` or `stderr`; the last attempt's unless another is named."""
        path = f"/api/v1/runs/{part(self.run.id)}/steps/{part(self.path)}/logs"
        return Log(self._http, path, {"stream": stream, "follow": follow or None, "attempt": attempt})

    def explain(self) -> list[str]:
        """Why it stands as it does, one sentence each."""
        path = f"/api/v1/runs/{part(self.run.id)}/steps/{part(self.path)}/explain"
        found = self._http.json("GET", path)
        return [*found["reasons"], *(f"help: {hint}" for hint in found.get("hints", []))]

    def __repr__(self) -> str:
        return f"<Step {self.path} {self.status}>"


class Run(ProgressView):
    """A run. What it says of itself is as new as the last look: `refresh`, `wait` and `watch` look again.

    Its status is queued, running, cancelling, succeeded, failed, cancelled or aborted.
    """

    @property
    def id(self) -> str:
        """Its id."""
        return str(self._view["id"])

    @property
    def is_done(self) -> bool:
        """Whether nothing can follow."""
        return self.status in TERMINAL

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return str(self._view["pipeline"])

    @property
    def experiment(self) -> str:
        """The experiment."""
        return str(self._view["experiment"])

    @property
    def project(self) -> str:
        """The project that it belongs to."""
        return str(self._view.get("project", "default"))

    @property
    def tags(self) -> dict[str, str]:
        """Its labels."""
        return dict(self._view.get("tags", {}))

    @property
    def submitted_by(self) -> str:
        """Who submitted it."""
        return str(self._view["submitted_by"])

    @property
    def submitted_at(self) -> datetime:
        """When it was submitted."""
        return required_moment(self._view["submitted_at"])

    @property
    def counts(self) -> dict[str, int]:
        """How many steps stand how; `total` is all of them."""
        return dict(self._view["steps"])

    @property
    def parameters(self) -> dict[str, str]:
        """Its parameters as bound."""
        return dict(self._whole().get("parameters", {}))

    @property
    def warnings(self) -> list[str]:
        """What one should know though nothing is wrong."""
        return list(self._whole().get("warnings", []))

    @property
    def steps(self) -> dict[str, Step]:
        """Its steps by name, in order."""
        return {view["path"]: Step(self, view) for view in self._whole()["steps_list"]}

    @property
    def outputs(self) -> dict[str, Artifact]:
        """The pipeline's own outputs that are there."""
        steps = self.steps
        found = {}
        for name, source in self._whole().get("outputs", {}).items():
            path, _, output = source.rpartition(".")
            artifact = steps[path].outputs.get(output) if path in steps else None
            if artifact is not None:
                artifact.name = name
                found[name] = artifact
        return found

    @property
    def view(self) -> dict[str, Any]:
        """All that the API says of it."""
        return dict(self._whole())

    def __getitem__(self, step: str) -> Step:
        """A step by its name."""
        steps = self.steps
        if step in steps:
            return steps[step]
        raise NotFoundError(
            f"run {self.id} has no step `{step}`",
            code="not_found",
            hint=f"it has {', '.join(list(steps)[:20])}",
        )

    def __iter__(self) -> Iterator[Step]:
        """Its steps in order."""
        return iter(self.steps.values())

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.display_name!r} {self.status}>"

    def _repr_html_(self) -> str:
        return _show.run_html(self._whole())

    def refresh(self) -> Run:
        """Looks again."""
        self._view = self._http.json("GET", f"/api/v1/runs/{part(self.id)}")
        return self

    def watch(self, *, after: int = 0) -> Iterator[Event]:
        """What happens in it, from its beginning or after an event, until it has ended. A connection that breaks is taken up again."""
        last = after
        wait = RECONNECT_FIRST_S
        while True:
            try:
                headers = {"accept": "text/event-stream", "last-event-id": str(last)}
                response = self._http.open("GET", f"/api/v1/runs/{part(self.id)}/events", headers=headers, timeout=60)
                for event in events(response):
                    wait = RECONNECT_FIRST_S
                    last = event.sequence
                    self._view["status"] = event.run_status
                    yield event
                    if event.run_status in TERMINAL:
                        response.close()
                        return
            except UnavailableError:
                if wait > RECONNECT_MAX_S:
                    raise
                time.sleep(wait)
                wait *= 2
                continue
            # The stream of a run that had ended before `after` ends without an event.
            if self.refresh().is_done:
                return
            time.sleep(RECONNECT_FIRST_S)

    def wait(
        self,
        *,
        timeout: float | None = None,
        show: bool | None = None,
        check: bool = True,
        file: TextIO | None = None,
    ) -> Run:
        """Waits for its end and answers with the run.

        A run that did not end well raises RunFailedError unless `check` is false. Progress is shown in a notebook or on a terminal; `show` says otherwise. `timeout` is in
        seconds; when it is over, WaitTimeoutError is raised and the run goes on. So it does after Ctrl-C.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        display = _show.display_for(self, show, file or sys.stderr)
        try:
            for event in self._watched(deadline):
                display.event(event)
            self.refresh()
        except KeyboardInterrupt:
            display.close()
            sys.stderr.write(
                f"stopped waiting; the run goes on. tidemill.Client().runs.get({self.id!r}).wait() waits again\n"
            )
            raise
        display.close()
        if check and self.status != "succeeded":
            raise RunFailedError(
                _why(self),
                self,
                hint=f"client.runs.get({self.id!r}).retry() runs what did not end well again",
            )
        return self

    def _watched(self, deadline: float | None) -> Iterator[Event]:
        """Events until the end or the deadline, which is looked at with each event and every few seconds."""
        if deadline is None:
            yield from self.watch()
            return
        last = 0
        while not self.is_done:
            left = deadline - time.monotonic()
            if left <= 0:
                raise WaitTimeoutError(
                    f"run {self.id} is {self.status} after the time to wait",
                    code="timeout",
                    hint="it goes on",
                )
            view = self._http.json("GET", f"/api/v1/runs/{part(self.id)}/events", query={"after": last})
            for found in view:
                event = Event.of(found)
                last = event.sequence
                self._view["status"] = event.run_status
                yield event
            if not self.is_done:
                time.sleep(min(0.5, max(left, 0.0)))

    def logs(self, step: str | None = None, *, stream: str = "stdout", follow: bool = False) -> Iterator[str]:
        """Lines that its steps wrote, each with its step's name before it unless one step is named. Followed, one step after the other."""
        if step is not None:
            yield from self[step].logs(stream=stream, follow=follow)
            return
        for found in self:
            for line in found.logs(stream=stream, follow=follow):
                yield f"{found.path} | {line}"

    def cancel(self) -> Run:
        """Ends it; its attempts are stopped."""
        self._view = self._http.json("POST", f"/api/v1/runs/{part(self.id)}/cancel", repeatable=True)
        return self

    def retry(self) -> Run:
        """Runs what did not end well again, in the same run."""
        self._view = self._http.json("POST", f"/api/v1/runs/{part(self.id)}/retry", once=True)
        return self

    @property
    def etag(self) -> str:
        """The revision of what is said of it (name, description, tags), for `if_match` of `describe`: what it does is no change of that."""
        return self._http.etag(f"/api/v1/runs/{part(self.id)}")

    def tag(self, tags: Mapping[str, str | None] | None = None, /, **more: str | None) -> Run:
        """Sets tags, also after its end; those set to None are removed: `run.tag(stage="prod", old=None)`."""
        return self._describe({"tags": {**(tags or {}), **more}})

    def describe(
        self,
        text: str | None = None,
        *,
        name: str | None = None,
        tags: Mapping[str, str | None] | None = None,
        if_match: str | None = None,
    ) -> Run:
        """Changes what is said of it, what it is called, and its tags. What is absent stays."""
        change: dict[str, Any] = {"description": text, "display_name": name}
        if tags is not None:
            change["tags"] = dict(tags)
        return self._describe(change, if_match)

    def comment(self, text: str) -> Comment:
        """Comments on it, in the name of the client's token."""
        view = self._http.json("POST", self._comments, query=self._by, body={"text": text}, once=True)
        return Comment.of(view)

    def comments(self) -> list[Comment]:
        """What people said of it, oldest first."""
        return [Comment.of(view) for view in self._http.json("GET", self._comments)]

    def edit_comment(self, number: int, text: str) -> Comment:
        """Gives a comment another text; its author or an admin may."""
        view = self._http.json(
            "PATCH", f"{self._comments}/{number}", query=self._by, body={"text": text}, repeatable=True
        )
        return Comment.of(view)

    def remove_comment(self, number: int) -> None:
        """Removes a comment; its author or an admin may."""
        self._http.json("DELETE", f"{self._comments}/{number}", query=self._by)

    @property
    def activity(self) -> list[dict[str, Any]]:
        """Who did what to it, oldest first: rows with at, by, what and detail."""
        acts = self.refresh()._view.get("activity", [])
        return [{"detail": "", **act, "at": required_moment(act["at"])} for act in acts]

    @property
    def _comments(self) -> str:
        return f"/api/v1/runs/{part(self.id)}/comments"

    @property
    def _by(self) -> dict[str, Any]:
        return {"by": user()}

    def _describe(self, change: Mapping[str, Any], if_match: str | None = None) -> Run:
        body = {key: value for key, value in change.items() if value is not None}
        path = f"/api/v1/runs/{part(self.id)}"
        # Sent again, a change of what was seen would be refused for its own doing.
        is_harmless = True if if_match is None else None
        self._view = self._http.json(
            "PATCH", path, query=self._by, body=body, repeatable=is_harmless, if_match=if_match
        )
        return self

    def metrics(self, *, history: bool = False) -> list[dict[str, Any]]:
        """What its steps logged to the coordinator over MLflow's interface: the last point of each metric, or with `history` every point.

        Rows with step, attempt, key, value, at, iteration (the number that the step gave the point), and reused_from: of a step that took its result over, whose metrics
        these are, as `RUN/STEP`.
        """
        return rows(self._http, self, history=history)

    def metrics_frame(self, *, history: bool = False) -> Any:
        """The same as a data frame; needs pandas."""
        pandas = pandas_or("take the rows: run.metrics()")
        return pandas.DataFrame(
            self.metrics(history=history), columns=["step", "attempt", "key", "value", "at", "iteration", "reused_from"]
        )

    def _whole(self) -> dict[str, Any]:
        if "steps_list" not in self._view or not self.is_done:
            self.refresh()
        return self._view


class Runs:
    """The runs of a coordinator: look one up, or list them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, run: str) -> Run:
        """A run by its id, a unique beginning of one, `last`, or `@` and its name."""
        return Run(self._http, self._http.json("GET", f"/api/v1/runs/{part(run)}"))

    __getitem__ = get

    def list(
        self,
        *,
        status: str | None = None,
        pipeline: str | None = None,
        experiment: str | None = None,
        project: str | None = None,
        tags: Mapping[str, str] | None = None,
        since: datetime | None = None,
        sort: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Run]:
        """Runs, newest first, as they are needed: a list of thousands comes in pages.

        `sort` is `submitted_at`, `finished_at`, `display_name` or `status`, with `-` before it the other way round.
        """
        query = {
            "status": status,
            "pipeline": pipeline,
            "experiment": experiment,
            "project": project,
            "tags": ",".join(f"{name}={value}" for name, value in tags.items()) if tags else None,
            "since": int(since.timestamp() * 1000) if since is not None else None,
            "sort": sort,
        }
        for view in self._http.pages("/api/v1/runs", query, limit):
            yield Run(self._http, view)

    def __iter__(self) -> Iterator[Run]:
        """All of them, newest first."""
        return self.list()


def _why(run: Run) -> str:
    failed = [step for step in run if step.status == "failed"]
    reasons = []
    for step in failed[:3]:
        failures = [attempt.failure for attempt in step.attempts if attempt.failure]
        # Of a step that nobody tried, the coordinator says why.
        reasons.append(f"{step.path}: {failures[-1] if failures else ', '.join(step.explain())}")
    detail = "; ".join(reasons)
    return f"run {run.id} {run.status}" + (f": {detail}" if detail else "")
