"""Cleans the texts: one sentence a line, small letters, nothing but words."""

import argparse
import re
from pathlib import Path

import where


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    for path in sorted(args.texts.glob("*.txt")):
        sentences = re.split(r"[.!?]\s+", path.read_text().lower())
        words = [" ".join(re.findall(r"[a-z]+", sentence)) for sentence in sentences]
        (args.out / path.name).write_text("\n".join(line for line in words if line) + "\n")
    where.write("gather", args.out)


if __name__ == "__main__":
    main()
