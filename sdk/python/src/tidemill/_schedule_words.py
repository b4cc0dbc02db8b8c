"""What a schedule says of itself: why it does or does not fire, in the sentences of the command line. Moments are in UTC, because a program's reader may be anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill._events import required_moment

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["sentences", "when"]

OVERLAP = {
    "allow": "another run is started beside one that goes on",
    "skip": "while a run goes on, nothing is started",
    "queue": "a run is started when the one before it has ended",
    "cancel_running": "a run that goes on is cancelled",
}
CATCH_UP = {
    "none": "what passes while no coordinator runs is missed",
    "last": "of what passes while no coordinator runs, the last is made up for",
    "all": "what passes while no coordinator runs is made up for",
}
BY_THE_CLOCK = ("cron", "recurrence")


def sentences(view: Mapping[str, Any]) -> list[str]:
    """Why it does or does not fire, one sentence each."""
    spec = view["spec"]
    (kind,) = spec["trigger"]
    pause = view.get("pause")
    lines = [_standing(view, kind)]
    if kind == "files_changed" and pause is None:
        lines.append(_looked(view.get("looked")))
    waiting = view.get("waiting") or 0
    if waiting:
        lines.append(f"{waiting} {'moment waits' if waiting == 1 else 'moments wait'} for the run before to end")
    last = view.get("last")
    if last is None:
        lines.append("it has not fired yet")
    else:
        lines.append(f"its last moment, {_at(last['nominal'])}, was {_outcome(last['outcome'])}")
    lines.append(OVERLAP.get(spec.get("overlap", "skip"), ""))
    if kind in BY_THE_CLOCK:
        lines.append(CATCH_UP.get(spec.get("catch_up", "none"), ""))
    return [line for line in lines if line]


def when(trigger: Mapping[str, Any]) -> str:
    """A trigger in words."""
    ((kind, said),) = trigger.items()
    zone = said.get("time_zone", "UTC")
    if kind == "cron":
        return f"{said['expression']} ({zone})"
    if kind == "recurrence":
        count, unit = said.get("interval", 1), said["frequency"]
        return f"every {unit} ({zone})" if count == 1 else f"every {count} {unit}s ({zone})"
    if kind == "new_version":
        return f"each new version of {said.get('kind', 'data')} {said['name']}"
    if kind == "run_ended":
        return f"each run of {said['pipeline']} that {' or '.join(said.get('outcomes') or ['succeeded'])}"
    place = "/".join(piece for piece in (said["datastore"], said.get("path", "")) if piece)
    return f"changes of files in {place} (every {said.get('every', 300_000) / 1000:g} s)"


def _standing(view: Mapping[str, Any], kind: str) -> str:
    """Whether it fires."""
    pause, next_at = view.get("pause"), view.get("next_at")
    if pause is not None:
        reason = f": {pause['reason']}" if pause.get("reason") else ""
        return f"it is paused since {_at(pause['at'])} by {pause['by']}{reason}"
    if next_at is not None:
        return f"it fires {_at(next_at)}"
    if kind in BY_THE_CLOCK:
        return "its end has passed: it fires no more"
    return f"it waits for {when(view['spec']['trigger'])}"


def _looked(look: Mapping[str, Any] | None) -> str:
    """What the last look at its files came to."""
    if look is None:
        return "nobody has looked at its files since the coordinator started"
    if look.get("problem"):
        return f"it could not look at its files {_at(look['at'])}: {look['problem']}"
    return f"it looked at its files {_at(look['at'])}: there are {look['files']}"


def _outcome(outcome: str | Mapping[str, Any]) -> str:
    """What became of a moment, and why."""
    if isinstance(outcome, str):
        why = {"queued": "it waits for the run before it", "overlapped": "a run still went on"}.get(outcome)
        return f"{outcome}: {why}" if why else outcome
    ((word, said),) = outcome.items()
    if word == "missed":
        times = said["times"]
        return "missed: no coordinator was there" + (f", {times} times" if times > 1 else "")
    return f"{word}: {said.get('run') or said.get('why')}"


def _at(timestamp: int) -> str:
    return f"{required_moment(timestamp):%Y-%m-%d %H:%M} UTC"
