import argparse
import os

from azureml.core.model import Model  # noqa: F401 - as notebooks' scripts import it
from azureml.core.run import Run

parser = argparse.ArgumentParser("train")
parser.add_argument("--input_data", type=str)
parser.add_argument("--output_train", type=str)
parser.add_argument("--learning_rate", type=float)
args = parser.parse_args()

run = Run.get_context(allow_offline=False)
rows = open(os.path.join(args.input_data, "kept.csv")).read().splitlines()
assert os.environ["AZUREML_DATAREFERENCE_processed_data"] == args.input_data
if not os.path.isdir(args.output_train):
    os.mkdir(args.output_train)
with open(os.path.join(args.output_train, "model.txt"), "w") as f:
    f.write("%d %s" % (len(rows), args.learning_rate))
os.makedirs("outputs", exist_ok=True)
with open("outputs/model.pkl", "w") as f:
    f.write("pickled")
run.tag("state", "trained")
run.upload_file("chart.txt", "outputs/model.pkl")
run.parent.log("rows", len(rows))
run.complete()
