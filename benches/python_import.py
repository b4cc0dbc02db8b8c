"""How long `import tidemill` takes: a whole Python that imports it beside one that does nothing, taken in turns. Prints; asserts nothing.

    PYTHON_WITH_URLLIB3 benches/python_import.py [ROUNDS]

The processor's time says it on a busy machine too.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = {"pass": "pass", "import tidemill": "import tidemill", "with a client": "import tidemill\ntidemill.Client"}
SOURCE = Path(__file__).resolve().parent.parent / "sdk/python/src"
TARGET_MS = 50.0


def processor_s() -> float:
    """What all Pythons have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def taken_ms(program: str) -> tuple[float, float]:
    """The time of one Python, by the clock and of the processor."""
    began, used = time.perf_counter(), processor_s()
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": str(SOURCE)})
    return (time.perf_counter() - began) * 1000, (processor_s() - used) * 1000


def main(rounds: int = 30) -> None:
    """Takes and prints them."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for program in PROGRAMS.values():
        # What is compiled once stays in files.
        taken_ms(program)
    for _ in range(rounds):
        for name, program in PROGRAMS.items():
            times[name].append(taken_ms(program))
    middles = {name: [statistics.median(column) for column in zip(*found)] for name, found in times.items()}
    for name, (clock, processor) in middles.items():
        more = clock - middles["pass"][0], processor - middles["pass"][1]
        beside = "" if name == "pass" else f"; more than `pass`: {more[0]:.1f} and {more[1]:.1f} ms"
        print(f"{name:16} {clock:6.1f} ms by the clock, {processor:5.1f} ms of the processor{beside}")
    print(f"target: {TARGET_MS:.0f} ms for `import tidemill`, Python itself included")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
