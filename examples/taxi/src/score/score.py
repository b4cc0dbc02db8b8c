"""Compares predicted fares with paid ones. Standard library only."""

import argparse
import csv
import json
import math
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    with args.predictions.open(newline="") as file:
        pairs = [(float(row["fare"]), float(row["predicted"])) for row in csv.DictReader(file)]
    mean = sum(paid for paid, _ in pairs) / len(pairs)
    squares = sum((paid - predicted) ** 2 for paid, predicted in pairs)
    spread = sum((paid - mean) ** 2 for paid, _ in pairs)
    scores = {
        "rides": len(pairs),
        "mean_absolute_error": round(sum(abs(a - b) for a, b in pairs) / len(pairs), 4),
        "root_mean_square_error": round(math.sqrt(squares / len(pairs)), 4),
        "r2": round(1 - squares / spread, 4),
    }
    args.out.write_text(json.dumps(scores, indent=2) + "\n")
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
