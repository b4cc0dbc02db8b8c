"""A notebook of azureml that reads what its scripts logged, and logs by itself."""

from azureml.core import Experiment, Model, Workspace
from azureml.core.run import Run
from azureml.pipeline.core import Pipeline, PipelineParameter
from azureml.pipeline.steps import PythonScriptStep

ws = Workspace.from_config()

# %% a pipeline whose script logs
rows = PipelineParameter(name="rows", default_value=2)
step = PythonScriptStep("log.py", name="log", arguments=["--rows", rows], source_directory="scripts", allow_reuse=False)
pipeline = Pipeline(ws, [step])
run = Experiment(ws, "Logging").submit(pipeline)
run.wait_for_completion(show_output=False)
log_run = run.find_step_run("log")[0]
metrics = log_run.get_metrics()
print("metrics:", sorted(metrics), metrics["accuracy"], metrics["rows"], metrics["kind"], metrics["table"])
print("tags:", log_run.tags["state"], run.get_metrics(recursive=True)["log"]["rows"])
print("parent:", run.get_metrics(), run.tags, run.properties, metrics["best"])
model_tags = Model(ws, "logged-model").tags
print("model:", {key: model_tags[key] for key in ("area", "framework", "framework_version")})
log_run.tag("reviewed", "yes")
print("tagged:", log_run.get_tags()["reviewed"])
log_run.add_properties({"checked": True})
log_run.flush()
run.tag("quality", "high")
run.add_properties({"release": "3"})
again = Run.get(ws, run.id)
print("properties:", log_run.properties["built"], log_run.properties["checked"], again.properties, again.tags)

# %% the same again, which takes its results over
again_step = PythonScriptStep("log.py", name="log", arguments=["--rows", rows], source_directory="scripts")
for _ in range(2):
    again = Experiment(ws, "Logging").submit(Pipeline(ws, [again_step]))
    again.wait_for_completion(show_output=False)
print("reused:", again.find_step_run("log")[0].get_metrics()["rows"])

# %% a run that the notebook logs to
mine = Experiment(ws, "Mine").start_logging()
mine.log("loss", 0.5)
mine.log("loss", 0.25)
child = mine.child_run("below")
child.log("loss", 1)
child.complete()
mine.complete()
print("mine:", mine.get_metrics(), mine.get_status(), [each.get_status() for each in mine.get_children()])

assert Run.get(ws, run.id).id == run.id
