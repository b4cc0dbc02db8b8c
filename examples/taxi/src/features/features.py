"""Derives what the model looks at, and keeps some rides back for the test."""

import argparse
from pathlib import Path

import pandas as pd


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rides", type=Path, required=True)
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    rides = pd.read_csv(args.rides, parse_dates=["start", "end"])
    features = pd.DataFrame(
        {
            "km": rides["km"],
            "minutes": ((rides["end"] - rides["start"]).dt.total_seconds() / 60).round(2),
            "hour": rides["start"].dt.hour,
            "weekday": rides["start"].dt.weekday,
            "passengers": rides["passengers"],
            "is_green": (rides["company"] == "green").astype(int),
            "fare": rides["fare"],
        }
    )
    features = features[features["minutes"].between(0.5, 180)]
    test = features.sample(frac=args.test_share, random_state=11).sort_index()
    train = features.drop(test.index)
    train.to_csv(args.out / "train.csv", index=False)
    test.to_csv(args.out / "test.csv", index=False)
    print(f"{len(train)} rides for training, {len(test)} for testing")


if __name__ == "__main__":
    main()
