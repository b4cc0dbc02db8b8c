"""A notebook of azureml with datasets: tables and files, outputs that get names, a script by itself, an endpoint with versions, and a run that fails."""

import os

from azureml.core import Dataset, Environment, Experiment, Model, ScriptRunConfig, Workspace
from azureml.data import OutputFileDatasetConfig
from azureml.exceptions import ActivityFailedException
from azureml.pipeline.core import (
    Module,
    Pipeline,
    PipelineData,
    PipelineEndpoint,
    PipelineParameter,
    PublishedPipeline,
    StepSequence,
)
from azureml.pipeline.core.graph import InputPortDef, OutputPortDef
from azureml.pipeline.steps import CommandStep, ModuleStep, PythonScriptStep

ws = Workspace.from_config()
store = ws.get_default_datastore()

# %% data
os.makedirs("numbers", exist_ok=True)
with open("numbers/numbers.csv", "w") as f:
    f.write("name;value\na;1\nb;20\nc;300\n")
os.makedirs("files", exist_ok=True)
with open("files/a.txt", "w") as f:
    f.write("text of a file")
store.upload(src_dir="numbers", target_path="numbers", overwrite=True, show_progress=False)
numbers = Dataset.Tabular.from_delimited_files(path=[(store, "numbers/numbers.csv")], separator=";")
numbers = numbers.register(workspace=ws, name="numbers", description="three numbers", create_new_version=True)
files = Dataset.File.upload_directory(src_dir="files", target=(store, "files"), show_progress=False)
files.register(ws, "files", tags={"kind": "text"})
found = Dataset.get_by_name(ws, name="files")
print("registered:", numbers.name, numbers.version, found.version, found.tags, found.to_path())

# %% a pipeline
total = OutputFileDatasetConfig(name="total")
environment = Environment("mine")
environment.python.user_managed_dependencies = True
sum_step = PythonScriptStep(
    "rows.py",
    name="sum",
    inputs=[numbers.as_named_input("numbers"), found.as_named_input("files").as_mount()],
    outputs=[total],
    source_directory="scripts",
)
rows = total.as_input("total")
show_step = CommandStep(
    command=["ls", rows, "> list.txt; sed -e s/2/two/ $AZUREML_DATAREFERENCE_total/total.txt"],
    name="show",
    inputs=[rows],
)
pipeline = Pipeline(ws, steps=StepSequence(steps=[sum_step, show_step]))
run = Experiment(ws, "Datasets").submit(pipeline, tags={"team": "rows"})
run.wait_for_completion(show_output=False, raise_on_error=True)
print("said:", run.find_step_run("sum")[0].get_stdout_log().splitlines())
print("total:", run.find_step_run("show")[0].get_stdout_log().strip(), run.tags)

# %% a script by itself
config = ScriptRunConfig(source_directory="scripts", script="extract.py", environment=environment)
config.arguments = ["--raw", "extract.py", "--output_extract", "outputs/here", "--fraction", 0]
single = Experiment(ws, "Single").submit(config)
print("single:", single.wait_for_completion(show_output=False)["status"], single.get_status(), single.get_file_names())

# %% endpoints
endpoint = PipelineEndpoint.publish(workspace=ws, name="sums", description="sums", pipeline=pipeline)
other = Pipeline(ws, [CommandStep("echo other", "other")]).publish(name="other sums")
endpoint.add(other)
print("endpoint:", endpoint.name, endpoint.default_version, sorted(endpoint.list_versions()))
print("steps:", endpoint.get_pipeline("2").get_step_names())
print("default:", endpoint.submit("Endpoint").wait_for_completion(show_output=False))
other.disable()
print("disabled:", [p.id for p in PublishedPipeline.list(ws)], PublishedPipeline.get(ws, other.id).status)

# %% models
with open("model.txt", "w") as f:
    f.write("a model")
Model.register(workspace=ws, model_path="model.txt", model_name="my_model", tags={"a": "b"}, description="mine")
with open(Model.get_model_path("my_model", _workspace=ws)) as f:
    print("model:", f.read(), Model(ws, "my_model").version)

# %% what fails
failing = Pipeline(ws, [PythonScriptStep("fail.py", source_directory="scripts", allow_reuse=False)])
run = Experiment(ws, "Failing").submit(failing)
try:
    run.wait_for_completion(show_output=False)
except ActivityFailedException as error:
    print("failed:", type(error).__name__, run.get_status())
step = run.find_step_run("fail.py")[0]
print("failed:", step.get_status(), "too few rows" in step.get_stderr_log(), step.get_stdout_log().strip())

# %% models as inputs, and modules
use = PythonScriptStep("model.py", inputs=[Model(ws, "my_model").as_input()], source_directory="scripts", name="use")
module = Module.create(ws, name="copy", description="copies rows")
rows, copied = InputPortDef("rows"), OutputPortDef("copied")
module.publish_python_script(
    "copy_rows.py",
    "copies once",
    inputs=[rows],
    outputs=[copied],
    params={"times": 1},
    version="1",
    is_default=True,
    source_directory="scripts",
    arguments=["--rows", rows, "--copied", copied, "--times", PipelineParameter("times", 1)],
)
result = PipelineData("result", pipeline_output_name="result")
copy_step = ModuleStep(
    module=Module.get(ws, name="copy"),
    inputs_map={"rows": Dataset.get_by_name(ws, "files").as_named_input("files").as_mount()},
    outputs_map={"copied": result},
    params={"times": PipelineParameter("how_often", 2)},
)
run = Experiment(ws, "Modules").submit(Pipeline(ws, [use, copy_step]), pipeline_parameters={"how_often": 3})
print("modules:", run.wait_for_completion(show_output=False))
print("use:", run.find_step_run("use")[0].get_stdout_log().strip())
print("copies:", run.get_pipeline_output("result").download("result"), len(run.find_step_run("copy")))
