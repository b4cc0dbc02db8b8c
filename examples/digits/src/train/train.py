"""Fits one kind of classifier to the training rows."""

import argparse
import pickle
from pathlib import Path

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC


def build(kind: str, seed: int):
    """The untrained classifier of this kind."""
    if kind == "logistic":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))
    if kind == "forest":
        return RandomForestClassifier(n_estimators=120, random_state=seed)
    return make_pipeline(StandardScaler(), SVC(C=4.0, random_state=seed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kind", choices=["logistic", "forest", "vectors"], required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    rows = pd.read_csv(args.data / "train.csv")
    labels = rows.pop("digit")
    model = build(args.kind, args.seed).fit(rows.to_numpy(), labels.to_numpy())
    args.out.write_bytes(pickle.dumps({"kind": args.kind, "model": model}))
    print(f"{args.kind}: {model.score(rows.to_numpy(), labels.to_numpy()):.4f} on the training rows")


if __name__ == "__main__":
    main()
