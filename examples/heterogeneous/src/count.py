"""Counts words the way Spark would: each file apart, then all counts together."""

import argparse
import json
from collections import Counter
from pathlib import Path

import where


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    parts = [Counter(path.read_text().split()) for path in sorted(args.corpus.glob("*.txt"))]
    total = sum(parts, Counter())
    ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    (args.out / "result.json").write_text(json.dumps(ranked[:10]) + "\n")
    where.write("count", args.out)


if __name__ == "__main__":
    main()
