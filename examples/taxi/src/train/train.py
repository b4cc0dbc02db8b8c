"""Fits a gradient-boosted regression of the fare."""

import argparse
import pickle
from pathlib import Path

import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rides", type=Path, required=True)
    parser.add_argument("--trees", type=int, required=True)
    parser.add_argument("--use-weekday", choices=["True", "False", "true", "false"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    rides = pd.read_csv(args.rides / "train.csv")
    fares = rides.pop("fare")
    if args.use_weekday.lower() == "false":
        rides = rides.drop(columns="weekday")
    model = GradientBoostingRegressor(n_estimators=args.trees, max_depth=3, random_state=11)
    model.fit(rides, fares)
    args.out.write_bytes(pickle.dumps({"columns": list(rides.columns), "model": model}))
    weights = sorted(zip(model.feature_importances_, rides.columns), reverse=True)
    print("most important: " + ", ".join(f"{name} {weight:.2f}" for weight, name in weights[:3]))


if __name__ == "__main__":
    main()
