"""A training that saves after each epoch and crashes after a few: the next attempt goes on where this one was."""

import argparse
import json
import os
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, required=True)
parser.add_argument("--crash-after", type=int, required=True)
parser.add_argument("--model", required=True)
arguments = parser.parse_args()

saved = os.path.join(os.environ["TIDEMILL_CHECKPOINT"], "state.json")
state = {"epoch": 0, "weight": 0.0, "attempts": 0}
if os.path.exists(saved):
    with open(saved) as file:
        state = json.load(file)
state["attempts"] += 1
print(f"attempt {state['attempts']} begins after epoch {state['epoch']}")


def save():
    """Writes elsewhere and renames, so that nobody ever sees half a file."""
    new = os.path.join(os.environ["TMPDIR"], "state.json")
    with open(new, "w") as file:
        json.dump(state, file)
    os.replace(new, saved)


for done in range(arguments.epochs - state["epoch"]):
    if done == arguments.crash_after:
        sys.exit("out of luck")
    state["epoch"] += 1
    state["weight"] += (1.0 - state["weight"]) / 2
    save()

with open(arguments.model, "w") as file:
    json.dump(state, file)
