"""Asks every model for the testing rows and writes its scores and its confusion matrix."""

import argparse
import json
import pickle
from pathlib import Path

import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    rows = pd.read_csv(args.data / "test.csv")
    labels = rows.pop("digit").to_numpy()
    scores = []
    for path in args.models:
        trained = pickle.loads(path.read_bytes())
        answers = trained["model"].predict(rows.to_numpy())
        scores.append(
            {
                "kind": trained["kind"],
                "accuracy": round(float(accuracy_score(labels, answers)), 6),
                "f1": round(float(f1_score(labels, answers, average="macro")), 6),
                "confusion": confusion_matrix(labels, answers).tolist(),
            }
        )
        print(f"{trained['kind']:10} accuracy {scores[-1]['accuracy']:.4f}")
    args.out.write_text(json.dumps(scores, indent=2) + "\n")


if __name__ == "__main__":
    main()
