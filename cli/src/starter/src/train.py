"""Finds the line through the points by gradient descent."""

import argparse
import json
import pathlib

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path, required=True)
parser.add_argument("--rate", type=float, required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
args = parser.parse_args()

lines = (args.data / "train.csv").read_text().splitlines()
points = [tuple(map(float, line.split(","))) for line in lines]
slope, offset = 0.0, 0.0
for epoch in range(200):
    errors = [(slope * x + offset - y, x) for x, y in points]
    slope -= args.rate * 2 * sum(error * x for error, x in errors) / len(points)
    offset -= args.rate * 2 * sum(error for error, _ in errors) / len(points)
    if epoch % 50 == 0:
        print(f"epoch {epoch:3d}: mean square error {sum(e * e for e, _ in errors) / len(points):.4f}")

args.out.write_text(json.dumps({"slope": slope, "offset": offset}))
print(f"y = {slope:.3f} x + {offset:.3f}")
