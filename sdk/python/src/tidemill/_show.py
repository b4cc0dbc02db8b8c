"""How a run looks in a notebook and on a terminal: a table and a drawing of its graph, without scripts, light or dark as the notebook is. Everything is escaped.

Where the boxes stand follows from the graph alone, so they never jump while a run goes on.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from html import escape
from threading import Lock, Thread, Timer
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from tidemill.errors import TidemillError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidemill._events import Event
    from tidemill._runs import Run

__all__ = ["display_for", "graph_html", "run_html", "show_on", "svg"]

STEPS_DRAWN_MAX = 200
STEPS_LISTED_MAX = 500
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, MARGIN = 168, 34, 44, 14, 8
NAME_CHARS_MAX = 22
REDRAW_S = 0.5
COLOURS = {
    "succeeded": "#2e9e5b",
    "reused": "#5b8def",
    "running": "#e0a100",
    "failed": "#d64545",
    "cancelled": "#8a8f98",
    "aborted": "#8a8f98",
    "skipped": "#8a8f98",
}
STYLE = """<style>
.tidemill{font:13px/1.45 system-ui,sans-serif;color:inherit}
.tidemill table{border-collapse:collapse;margin:6px 0;color:inherit}
.tidemill td,.tidemill th{padding:2px 10px 2px 0;text-align:left;background:none;border:0}
.tidemill th{opacity:.65;font-weight:500}
.tidemill .chip{display:inline-block;border-radius:8px;padding:0 7px;color:#fff}
.tidemill svg{max-width:100%;height:auto}
.tidemill svg text{fill:currentColor;font:12px system-ui,sans-serif}
.tidemill svg rect{fill:none;stroke-width:1.6}
.tidemill svg path{fill:none;stroke:currentColor;opacity:.4}
.tidemill .error{white-space:pre-wrap;color:#d64545}
</style>"""


def run_html(view: Mapping[str, Any]) -> str:
    """A run as a page's part."""
    steps = view.get("steps_list", [])
    nodes = [(step["path"], step["status"], step.get("depends_on", [])) for step in steps]
    head = f"<b>{escape(view['display_name'])}</b> {_chip(view['status'])} <code>{escape(str(view['id']))}</code>"
    about = f"{escape(str(view['pipeline']))} · {escape(str(view['experiment']))} · {escape(str(view['submitted_by']))}"
    rows = "".join(_row(step) for step in steps[:STEPS_LISTED_MAX])
    more = f"<p>and {len(steps) - STEPS_LISTED_MAX} more</p>" if len(steps) > STEPS_LISTED_MAX else ""
    table = (
        f"<table><tr><th>step</th><th>status</th><th>took</th><th>outputs</th></tr>{rows}</table>{more}"
        if steps
        else ""
    )
    return (
        f'<div class="tidemill">{STYLE}<div>{head}</div><div>{about}</div>{svg(nodes)}{table}{_failures(steps)}</div>'
    )


def graph_html(name: str, nodes: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """A pipeline that was drawn, as a page's part."""
    return f'<div class="tidemill">{STYLE}<b>{escape(name)}</b>{svg(nodes)}</div>'


def svg(nodes: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """The graph as a picture: each node is its name, its status and the nodes before it."""
    if not nodes or len(nodes) > STEPS_DRAWN_MAX:
        return ""
    places = _places(nodes)
    boxes, lines = [], []
    for name, status, before in nodes:
        x, y = places[name]
        colour = COLOURS.get(status, "#8a8f98")
        dash = "" if status in COLOURS else ' stroke-dasharray="4 3"'
        shown = name if len(name) <= NAME_CHARS_MAX else name[: NAME_CHARS_MAX - 1] + "…"
        title = escape(f"{name} {status}".strip())
        boxes.append(
            f'<g><title>{title}</title><rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7" stroke="{colour}"{dash}/>'
            f'<text x="{x + 10}" y="{y + 21}">{escape(shown)}</text></g>'
        )
        for other in before:
            if other in places:
                from_x, from_y = places[other][0] + BOX_WIDTH, places[other][1] + BOX_HEIGHT // 2
                to_y, bend = y + BOX_HEIGHT // 2, GAP_X // 2
                lines.append(f'<path d="M{from_x} {from_y}C{from_x + bend} {from_y} {x - bend} {to_y} {x} {to_y}"/>')
    width = max(x for x, _ in places.values()) + BOX_WIDTH + MARGIN
    height = max(y for _, y in places.values()) + BOX_HEIGHT + MARGIN
    body = "".join(lines + boxes)
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">{body}</svg>'


def _places(nodes: Sequence[tuple[str, str, Sequence[str]]]) -> dict[str, tuple[int, int]]:
    """Columns by distance from the start, rows in the order of the plan. Nodes come after those before them."""
    column: dict[str, int] = {}
    rows: dict[int, int] = {}
    places = {}
    for name, _, before in nodes:
        column[name] = max((column[other] + 1 for other in before if other in column), default=0)
        row = rows.get(column[name], 0)
        rows[column[name]] = row + 1
        places[name] = (MARGIN + column[name] * (BOX_WIDTH + GAP_X), MARGIN + row * (BOX_HEIGHT + GAP_Y))
    return places


def _row(step: Mapping[str, Any]) -> str:
    outputs = ", ".join(f"{escape(name)} ({_size(ref['size_bytes'])})" for name, ref in step.get("outputs", {}).items())
    took = _took(step.get("started_at"), step.get("finished_at"))
    return f"<tr><td>{escape(step['path'])}</td><td>{_chip(step['status'])}</td><td>{took}</td><td>{outputs}</td></tr>"


def _failures(steps: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for step in steps:
        failure = (step.get("attempts") or [{}])[-1].get("failure") if step["status"] == "failed" else None
        if failure:
            text = "\n".join(part for part in (failure.get("message"), failure.get("stderr_tail")) if part)
            parts.append(
                f'<div class="error"><b>{escape(step["path"])}</b> {escape(text or str(failure.get("reason", "")))}</div>'
            )
    return "".join(parts[:5])


def _chip(status: str) -> str:
    return f'<span class="chip" style="background:{COLOURS.get(status, "#8a8f98")}">{escape(status)}</span>'


def _took(start: int | None, end: int | None) -> str:
    if start is None:
        return ""
    seconds = ((end if end is not None else int(time.time() * 1000)) - start) / 1000
    return _length(max(seconds, 0.0))


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


class Display(Protocol):
    """Something that shows how a run goes on."""

    def event(self, event: Event) -> None:
        """Something happened."""

    def close(self) -> None:
        """Nothing more will be shown."""


def display_for(run: Run, show: bool | None, file: TextIO) -> Display:
    """How to show this run's progress here."""
    if show is False:
        return _Silent()
    if _in_notebook():
        return _Notebook(run)
    if show or (show is None and file.isatty()):
        return _Terminal(run, file)
    return _Silent()


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


class _Silent:
    def event(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


class _Terminal:
    """One line for each change of a step."""

    def __init__(self, run: Run, file: TextIO) -> None:
        self._file = file
        self._file.write(f"run {run.id} {run.display_name}\n")

    def event(self, event: Event) -> None:
        if event.step is not None and event.step_status not in (None, "blocked", "ready", "dispatched"):
            detail = f"  {event.detail}" if event.detail else ""
            self._file.write(f"{event.at:%H:%M:%S}  {event.step}  {event.step_status}{detail}\n")
            self._file.flush()

    def close(self) -> None:
        self._file.flush()


class _Notebook:
    """The run's page, drawn again as it changes, a few times a second at most."""

    def __init__(self, run: Run) -> None:
        from IPython.display import HTML, display

        self._html = HTML
        self._run = run
        self._handle = display(HTML(run._repr_html_()), display_id=True)
        self._drawn = time.monotonic()
        self._soon: Timer | None = None
        self._drawing = Lock()

    def event(self, event: Event) -> None:  # noqa: ARG002 - the page shows the whole run
        wait = self._drawn + REDRAW_S - time.monotonic()
        if wait <= 0:
            self._draw()
        elif self._soon is None:
            # Nothing else may come for hours: what comes too early to be drawn is drawn a little later.
            self._soon = Timer(wait, copy_context().run, [self._draw_unasked])
            self._soon.daemon = True
            self._soon.start()

    def close(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
        self._draw()

    def _draw_unasked(self) -> None:
        # The next event draws again; who waits for the run hears of what is wrong.
        with suppress(TidemillError):
            self._draw()

    def _draw(self) -> None:
        with self._drawing:
            self._soon = None
            if self._handle is not None:
                self._handle.update(self._html(self._run.refresh()._repr_html_()))
            self._drawn = time.monotonic()


def show_on(run: Run, file: TextIO) -> Thread | None:
    """Shows a run without waiting for it: a notebook's page stays current until the run has ended, by a thread of its own; a terminal is told how it stands now."""
    # Of its own, because whoever has the run looks at it, too.
    run = copy(run).refresh()
    display = display_for(run, True, file)
    if run.is_done or not isinstance(display, _Notebook):
        display.close()
        return None
    thread = Thread(target=copy_context().run, args=(_go_on, run, display), name=f"tidemill-show-{run.id}", daemon=True)
    thread.start()
    return thread


def _go_on(run: Run, display: Display) -> None:
    # A page that stays as it is says enough; nobody waits for it.
    with suppress(TidemillError):
        for event in run.watch():
            display.event(event)
        display.close()
