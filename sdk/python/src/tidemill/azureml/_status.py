"""Statuses of tidemill in azureml's words, of which it has one set for pipelines and their steps and one for other runs."""

from __future__ import annotations

__all__ = ["pipeline_status", "run_status", "step_status"]

_PIPELINE = {
    "queued": "NotStarted",
    "running": "Running",
    "cancelling": "Running",
    "succeeded": "Finished",
    "failed": "Failed",
    "cancelled": "Canceled",
    "aborted": "Failed",
}
_STEP = {
    "blocked": "NotStarted",
    "ready": "NotStarted",
    "dispatched": "Queued",
    "running": "Running",
    "succeeded": "Finished",
    "reused": "Finished",
    "failed": "Failed",
    "cancelled": "Canceled",
    "aborted": "Failed",
    "skipped": "Bypassed",
}
_RUN = {
    "NotStarted": "NotStarted",
    "Queued": "Queued",
    "Running": "Running",
    "Finished": "Completed",
    "Failed": "Failed",
    "Canceled": "Canceled",
    "Bypassed": "Canceled",
}


def pipeline_status(status: str) -> str:
    """NotStarted, Running, Finished, Failed or Canceled."""
    return _PIPELINE.get(status, "Unknown")


def step_status(status: str) -> str:
    """NotStarted, Queued, Running, Finished, Failed, Canceled or Bypassed."""
    return _STEP.get(status, "NotStarted" if status.startswith("wait") else "Unknown")


def run_status(status: str) -> str:
    """The word of the first set as that of the second: Completed where that says Finished."""
    return _RUN.get(status, "Unknown")
