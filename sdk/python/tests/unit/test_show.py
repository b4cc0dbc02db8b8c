"""A run as a notebook shows it while it goes on, without a notebook: what is drawn is written down."""

from __future__ import annotations

import json
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.fakes import Answer, Fake, Request, answer, http_of
from tidemill import Run, _show
from tidemill._events import Event
from tidemill.azureml.widgets import RunDetails


class Handle:
    """What IPython's `display` gives back."""

    def __init__(self, page: str) -> None:
        self.pages = [page]
        self.drawn = threading.Semaphore(0)

    def update(self, page: str) -> None:
        self.pages.append(page)
        self.drawn.release()

    def statuses(self) -> list[str]:
        """What each page says of the run."""
        words = ("queued", "running", "succeeded")
        return [next(word for word in words if f">{word}</span>" in page) for page in self.pages]


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> list[Handle]:
    """A notebook; the handles of what is displayed in it."""
    shown: list[Handle] = []

    def display(page: str, *, display_id: bool) -> Handle:
        assert display_id
        shown.append(Handle(page))
        return shown[-1]

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    vars(ipython)["get_ipython"] = lambda: SimpleNamespace(config={"IPKernelApp": {}})
    vars(module).update(display=display, HTML=str)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def view(status: str) -> dict[str, Any]:
    about = {"pipeline": "p", "display_name": "first", "experiment": "e", "submitted_by": "ada"}
    return {"id": "r1", "status": status, "steps_list": [], **about}


def event(sequence: int, status: str) -> dict[str, Any]:
    return {"sequence": sequence, "at": 0, "run": "r1", "event": "changed", "run_status": status}


def going_on(*statuses: str) -> Fake:
    """A run that is found in these states, one after the other, and tells of each."""
    fake = Fake().on("GET", "/api/v1/runs/r1", *(answer(view(status)) for status in statuses))
    told = "".join(f"data: {json.dumps(event(at, status))}\n\n" for at, status in enumerate(statuses, 1))
    return fake.on("GET", "/api/v1/runs/r1/events", answer(told.encode()))


def test_a_notebook_is_drawn_again_with_each_change_of_a_run_that_is_waited_for(
    handles: list[Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_show, "REDRAW_S", 0.0)
    run = Run(http_of(going_on("queued", "queued", "running", "succeeded")), view("queued"))
    run.wait()
    (handle,) = handles
    assert handle.statuses()[0] == "queued"
    assert "running" in handle.statuses()[1:-1], "while it goes on"
    assert handle.statuses()[-1] == "succeeded"
    assert len(handle.pages) > 4


def test_what_comes_too_early_to_be_drawn_is_drawn_though_nothing_else_comes(
    handles: list[Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_show, "REDRAW_S", 0.05)
    run = Run(http_of(going_on("queued", "running")), view("queued"))
    display = _show.display_for(run, None, sys.stderr)
    display.event(Event.of(event(1, "running")))
    display.event(Event.of(event(2, "running")))
    (handle,) = handles
    assert handle.drawn.acquire(timeout=30)
    assert handle.statuses() == ["queued", "running"], "both events in one page"


def test_a_busy_run_is_drawn_a_few_times_a_second_at_most(
    handles: list[Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_show, "REDRAW_S", 3600.0)
    fake = going_on("queued", *["running"] * 50, "succeeded")
    fake.replace("GET", "/api/v1/runs/r1", answer(view("succeeded")))
    Run(http_of(fake), view("queued")).wait()
    assert len(handles[0].pages) == 2, "at the beginning and at the end"


def test_azuremls_run_details_stay_current_while_other_cells_run(
    handles: list[Handle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_show, "REDRAW_S", 0.0)
    go_on = threading.Event()

    def events(request: Request) -> Answer:
        assert go_on.wait(30)
        ended = [event(1, "running"), event(2, "succeeded")]
        return answer("".join(f"data: {json.dumps(one)}\n\n" for one in ended).encode())

    fake = going_on("queued", "queued", "running", "succeeded")
    fake.replace("GET", "/api/v1/runs/r1/events", events)
    run = Run(http_of(fake), view("queued"))
    RunDetails(SimpleNamespace(_run=run)).show()  # type: ignore[arg-type]
    (handle,) = handles
    assert handle.statuses() == ["queued"], "it does not wait for the run"
    (thread,) = [one for one in threading.enumerate() if one.name == "tidemill-show-r1"]
    go_on.set()
    thread.join(30)
    assert handle.statuses()[-1] == "succeeded"
    assert len(handle.pages) > 2
    assert run._view["status"] == "queued", "whoever has the run sees what they asked for"


def test_of_a_run_that_has_ended_run_details_are_drawn_and_nothing_waits(handles: list[Handle]) -> None:
    run = Run(http_of(going_on("succeeded")), view("queued"))
    assert _show.show_on(run, sys.stdout) is None
    assert handles[0].statuses()[-1] == "succeeded"
