"""Predicts the fares of the rides that were kept back."""

import argparse
import pickle
from pathlib import Path

import pandas as pd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rides", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    trained = pickle.loads(args.model.read_bytes())
    rides = pd.read_csv(args.rides / "test.csv")
    rides["predicted"] = trained["model"].predict(rides[trained["columns"]]).round(4)
    rides[["fare", "predicted"]].to_csv(args.out, index=False)
    print(f"predicted {len(rides)} fares")


if __name__ == "__main__":
    main()
