import argparse
import os

from azureml.core import Run

parser = argparse.ArgumentParser("extract")
parser.add_argument("--raw", type=str)
parser.add_argument("--output_extract", type=str)
parser.add_argument("--fraction", type=float)
args = parser.parse_args()

run = Run.get_context()
print("experiment:", run.experiment.name)
with open(args.raw) as f:
    rows = f.read().splitlines()
kept = rows[: int(len(rows) * args.fraction)]
os.makedirs(args.output_extract, exist_ok=True)
with open(os.path.join(args.output_extract, "kept.csv"), "w") as f:
    f.write("\n".join(kept))
run.log("kept", len(kept))
run.log_list("lengths", [len(row) for row in kept])
run.log_row("summary", rows=len(rows), kept=len(kept), note="half")
