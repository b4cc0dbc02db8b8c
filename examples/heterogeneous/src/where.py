"""Says on which machine a step runs: what the worker told it, and what the machine says of itself."""

import json
import os
import platform
from pathlib import Path


def write(step: str, folder: Path) -> None:
    """Keeps the answer beside the step's result, and prints it."""
    answer = {
        "step": step,
        "target": os.environ.get("TIDEMILL_TARGET", "unknown"),
        "host": platform.node(),
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES") or "none",
        "spark": os.environ.get("SPARK_HOME") or "none",
    }
    (folder / "where.json").write_text(json.dumps(answer, indent=2) + "\n")
    print(", ".join(f"{name} {value}" for name, value in answer.items()))
