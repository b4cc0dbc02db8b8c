"""Steps and pipelines of the tests in this folder, in a module of their own, as authors have them."""

from __future__ import annotations

from typing import Any

from tidemill import InputFile, OutputFile, OutputFolder, pipeline, step


@step
def double(rows: InputFile, times: int = 2, note: str | None = None, *, total: OutputFile, parts: OutputFolder) -> None:
    lines = rows.read_text().split()
    print(f"{step.step()} has {len(lines)} rows, note {note}")
    total.write_text(str(len(lines) * times))
    for line in lines:
        (parts / f"{line}.txt").write_text(line)


@step
def add(first: InputFile, second: InputFile, *, total: OutputFile) -> None:
    total.write_text(str(int(first.read_text()) + int(second.read_text())))


@step
def fail(message: str) -> None:
    raise SystemExit(message)


@pipeline(experiment="contract")
def doubled(rows: InputFile, times: int = 2) -> Any:
    """Doubles twice and adds."""
    one = double(rows, times, note="it's $HOME; `x`")
    two = double.with_options(name="again")(rows, times=3)
    total = add(first=one.outputs.total, second=two.outputs.total)
    return {"total": total, "parts": one.outputs.parts}


@pipeline
def outer(rows: InputFile) -> Any:
    inner = doubled(rows=rows, times=5)
    return {"total": inner.outputs.total}


@pipeline
def failing() -> None:
    fail("too bad")
