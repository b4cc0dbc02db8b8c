"""Learns which letter follows which, by gradient descent in plain Python: a stand-in for what a GPU would do."""

import argparse
import json
import math
import string
from pathlib import Path

import where

LETTERS = string.ascii_lowercase + " "


def pairs(corpus: Path) -> list[list[int]]:
    """How often each letter is followed by each."""
    table = [[0] * len(LETTERS) for _ in LETTERS]
    for path in sorted(corpus.glob("*.txt")):
        text = path.read_text().replace("\n", " ")
        for first, second in zip(text, text[1:]):
            table[LETTERS.index(first)][LETTERS.index(second)] += 1
    return table


def softmax(row: list[float]) -> list[float]:
    weights = [math.exp(value - max(row)) for value in row]
    return [weight / sum(weights) for weight in weights]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    table = pairs(args.corpus)
    total = sum(map(sum, table))
    logits = [[0.0] * len(LETTERS) for _ in LETTERS]
    loss = 0.0
    for _ in range(args.rounds):
        loss = 0.0
        for row, counts in zip(logits, table):
            seen = sum(counts)
            chances = softmax(row)
            for place, count in enumerate(counts):
                loss -= count * math.log(chances[place]) / total
                row[place] += 4.0 * (count - seen * chances[place]) / max(seen, 1)
    (args.out / "result.json").write_text(json.dumps({"loss": round(loss, 4)}) + "\n")
    print(f"loss after {args.rounds} rounds: {loss:.4f}")
    where.write("train", args.out)


if __name__ == "__main__":
    main()
