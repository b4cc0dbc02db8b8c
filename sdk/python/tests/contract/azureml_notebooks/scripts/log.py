import argparse

from azureml.core import Model, Run

parser = argparse.ArgumentParser("log")
parser.add_argument("--rows", type=int)
args = parser.parse_args()
run = Run.get_context()
run.log("accuracy", 0.5)
run.log("accuracy", 0.75)
run.log("rows", args.rows)
run.log("kind", "tree")
run.log_row("table", a=1, b=2)
run.log_row("table", a=3, b=4)
run.tag("state", "good")
run.add_properties({"built": 7})
run.parent.log("best", 0.75)
run.parent.log("rows", args.rows)
run.parent.tag("stage", "done")
run.parent.add_properties({"from": "log.py"})
run.flush()
inner = run.experiment.start_logging()
inner.log("inner", 2)
inner.complete()
with run.child_run("child") as child:
    child.log("inner", 1)
with open("model.txt", "w") as f:
    f.write("a model")
model = run.register_model(
    "logged-model",
    "model.txt",
    tags={"area": "rows"},
    model_framework=Model.Framework.CUSTOM,
    model_framework_version="1",
)
print("registered", model.name, model.version)
