"""Says how far the line is from points that it has not seen."""

import argparse
import json
import pathlib

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path, required=True)
parser.add_argument("--model", type=pathlib.Path, required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
args = parser.parse_args()

model = json.loads(args.model.read_text())
lines = (args.data / "test.csv").read_text().splitlines()
points = [tuple(map(float, line.split(","))) for line in lines]
errors = [model["slope"] * x + model["offset"] - y for x, y in points]
report = {
    "points": len(points),
    "mean_square_error": sum(error * error for error in errors) / len(points),
    "slope": model["slope"],
    "offset": model["offset"],
}
args.out.write_text(json.dumps(report, indent=2) + "\n")
print(json.dumps(report))
