"""Writes a page with the scores of all models and a picture of the best one's confusion matrix."""

import argparse
import json
import pickle
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay


def draw(trained: dict, test: Path, picture: Path) -> None:
    """The confusion matrix of the model over the testing rows, as a PNG without a date inside."""
    rows = pd.read_csv(test)
    labels = rows.pop("digit").to_numpy()
    figure, axes = plt.subplots(figsize=(6, 6))
    ConfusionMatrixDisplay.from_predictions(
        labels, trained["model"].predict(rows.to_numpy()), ax=axes, colorbar=False, cmap="Blues"
    )
    axes.set_title(f"{trained['kind']}: what was written, what was read")
    figure.tight_layout()
    figure.savefig(picture, dpi=110, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    trained = pickle.loads(args.model.read_bytes())
    draw(trained, args.data / "test.csv", args.out / "confusion.png")

    lines = ["# Handwritten digits", "", "| model | accuracy | F1 |", "| --- | ---: | ---: |"]
    for score in json.loads(args.scores.read_text()):
        name = f"**{score['kind']}**" if score["kind"] == trained["kind"] else score["kind"]
        lines.append(f"| {name} | {score['accuracy']:.4f} | {score['f1']:.4f} |")
    lines += ["", f"![Confusion matrix of {trained['kind']}](confusion.png)", ""]
    (args.out / "report.md").write_text("\n".join(lines))
    print("\n".join(lines[:-2]))


if __name__ == "__main__":
    main()
