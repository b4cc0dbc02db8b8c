"""Puts the results together, with the place where each was made."""

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    lines = []
    for part in args.parts:
        place = json.loads((part / "where.json").read_text())
        result = part / "result.json"
        said = result.read_text().strip() if result.exists() else "-"
        lines.append(f"{place['step']:7} on {place['target']:12} ({place['host']}): {said}")
    args.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
