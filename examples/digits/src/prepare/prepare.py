"""Splits scikit-learn's handwritten digits into rows for training and rows for testing."""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test-share", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    digits = load_digits()
    rows = pd.DataFrame(digits.data.astype(int), columns=digits.feature_names)
    rows["digit"] = digits.target
    train, test = train_test_split(
        rows, test_size=args.test_share, random_state=args.seed, stratify=rows["digit"]
    )
    train.to_csv(args.out / "train.csv", index=False)
    test.to_csv(args.out / "test.csv", index=False)
    print(f"{len(train)} rows for training, {len(test)} for testing")


if __name__ == "__main__":
    main()
