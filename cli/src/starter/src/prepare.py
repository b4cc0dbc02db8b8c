"""Draws points around a line, some to learn from and some to test with."""

import argparse
import pathlib
import random

parser = argparse.ArgumentParser()
parser.add_argument("--points", type=int, required=True)
parser.add_argument("--out", type=pathlib.Path, required=True)
args = parser.parse_args()

# A fixed seed: the same points every time, so that what follows can be reused.
draw = random.Random(7)
rows = []
for _ in range(args.points):
    x = draw.uniform(-1, 1)
    rows.append((x, 3 * x + 0.5 + draw.gauss(0, 0.1)))

cut = len(rows) * 4 // 5
for name, part in (("train.csv", rows[:cut]), ("test.csv", rows[cut:])):
    (args.out / name).write_text("".join(f"{x:.6f},{y:.6f}\n" for x, y in part))
print(f"{cut} points to learn from, {len(rows) - cut} to test with")
