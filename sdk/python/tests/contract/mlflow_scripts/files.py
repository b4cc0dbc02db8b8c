"""Pictures, figures and texts come back."""

import os

import matplotlib
import mlflow
import numpy

matplotlib.use("Agg")
from matplotlib import pyplot
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

figure, axes = pyplot.subplots()
axes.plot([1, 2, 3])
os.makedirs("folder/deep")
with open("folder/deep/ä b.txt", "w") as file:
    file.write("deep")
with mlflow.start_run() as run:
    mlflow.log_image(numpy.zeros((8, 9, 3), dtype=numpy.uint8), "black.png")
    for step in range(3):
        mlflow.log_image(numpy.full((8, 8, 3), step, dtype=numpy.uint8), key="layer", step=step)
    mlflow.log_figure(figure, "charts/line.png")
    mlflow.log_dict({"a": [1, {"b": None}]}, "notes/a.json")
    mlflow.log_dict({"a": 1}, "notes/a.yml")
    mlflow.log_text("grüße", "notes/a.txt")
    mlflow.log_artifacts("folder", "more")
client, id = MlflowClient(), run.info.run_id
root = f"runs:/{id}"


def listed(path=None):
    return [one.path for one in client.list_artifacts(id, path)]


assert listed() == ["black.png", "charts", "images", "more", "notes"], listed()
assert len(listed("images")) == 6, "each picture in two sizes"
assert listed("more/deep") == ["more/deep/ä b.txt"], listed("more/deep")
assert mlflow.artifacts.load_image(f"{root}/black.png").size == (9, 8)
assert mlflow.artifacts.load_image(f"{root}/charts/line.png").size[0] > 100
assert mlflow.artifacts.load_dict(f"{root}/notes/a.json") == {"a": [1, {"b": None}]}
assert mlflow.artifacts.load_text(f"{root}/notes/a.yml") == "a: 1\n"
assert mlflow.artifacts.load_text(f"{root}/notes/a.txt") == "grüße"
here = mlflow.artifacts.download_artifacts(run_id=id, artifact_path="")
assert sorted(os.listdir(here)) == listed(), os.listdir(here)
with open(os.path.join(here, "more/deep/ä b.txt")) as file:
    assert file.read() == "deep"
try:
    mlflow.artifacts.load_text(f"{root}/notes/none.txt")
    raise SystemExit("a file that nobody logged was read")
except MlflowException:
    pass
print("ok")
