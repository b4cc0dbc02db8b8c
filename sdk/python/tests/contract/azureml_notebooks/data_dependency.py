"""A notebook of azureml as people have them, cell after cell: data in a datastore, three scripts, a pipeline with parameters, its run, its outputs, and a published pipeline."""

import os

import azureml.core
from azureml.core import Datastore, Experiment, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.runconfig import RunConfiguration
from azureml.data.data_reference import DataReference
from azureml.pipeline.core import Pipeline, PipelineData
from azureml.pipeline.core.graph import PipelineParameter
from azureml.pipeline.steps import PythonScriptStep
from azureml.widgets import RunDetails

print("SDK version:", azureml.core.VERSION)

# %% workspace and data
ws = Workspace.from_config()
print(ws.name, ws.resource_group, ws.location, ws.subscription_id, sep="\n")
def_blob_store = ws.get_default_datastore()
with open("rows.csv", "w") as f:
    f.write("\n".join("row%d" % number for number in range(8)))
def_blob_store.upload_files(["./rows.csv"], target_path="raw", overwrite=True)
assert Datastore(ws, "workspaceblobstore").name == def_blob_store.name

# %% compute
aml_compute_target = "cpu-cluster"
try:
    aml_compute = AmlCompute(ws, aml_compute_target)
    print("found existing compute target.")
except ComputeTargetException:
    provisioning_config = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", min_nodes=1, max_nodes=4)
    aml_compute = ComputeTarget.create(ws, aml_compute_target, provisioning_config)
    aml_compute.wait_for_completion(show_output=True, min_node_count=None, timeout_in_minutes=20)

aml_run_config = RunConfiguration()
aml_run_config.target = aml_compute
aml_run_config.environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["azureml-defaults"])

# %% steps
raw = DataReference(datastore=def_blob_store, data_reference_name="raw", path_on_datastore="raw/rows.csv")
fraction = PipelineParameter(name="fraction", default_value=0.5)
processed_data = PipelineData("processed_data", datastore=def_blob_store)
trained = PipelineData("trained", datastore=def_blob_store, pipeline_output_name="final_model")
report = PipelineData("report", datastore=def_blob_store, is_directory=False)
source_directory = "scripts"

extract_step = PythonScriptStep(
    name="Extract rows",
    script_name="extract.py",
    arguments=["--raw", raw, "--output_extract", processed_data, "--fraction", fraction],
    inputs=[raw],
    outputs=[processed_data],
    compute_target=aml_compute,
    source_directory=source_directory,
    runconfig=aml_run_config,
)
train_step = PythonScriptStep(
    name="train",
    script_name="train.py",
    arguments=["--input_data", processed_data, "--output_train", trained, "--learning_rate", 0.1],
    inputs=[processed_data],
    outputs=[trained],
    compute_target=aml_compute,
    source_directory=source_directory,
    runconfig=aml_run_config,
    allow_reuse=False,
)
compare_step = PythonScriptStep(
    script_name="compare.py",
    arguments=["--one", processed_data, "--two", trained, "--report", report],
    inputs=[processed_data.as_mount(), trained.as_download()],
    outputs=[report],
    compute_target=aml_compute,
    source_directory=source_directory,
)
pipeline = Pipeline(workspace=ws, steps=[compare_step])
print("problems:", pipeline.validate())

# %% a run
pipeline_run = Experiment(ws, "Data_dependency").submit(
    pipeline, pipeline_parameters={"fraction": 0.25}, continue_on_step_failure=False, regenerate_outputs=False
)
RunDetails(pipeline_run).show()
print("ended:", pipeline_run.wait_for_completion(show_output=True), pipeline_run.get_status(), pipeline_run.status)
for step in pipeline_run.get_steps():
    print("step:", step.name, step.get_status())

# %% what it left
train_run = pipeline_run.find_step_run("train")[0]
reference = train_run.get_output_data("trained")
print("files:", reference.download(local_path="downloads"))
with open(os.path.join("downloads", reference.path_on_datastore, "model.txt")) as f:
    print("model:", f.read())
print("log:", pipeline_run.find_step_run("compare.py")[0].get_stdout_log().strip())
print("kept:", ", ".join(train_run.get_file_names()))
print("outputs:", list(pipeline_run.find_step_run("Extract rows")[0].get_outputs()))
assert pipeline_run.get_pipeline_output("final_model").download("final") == 1
model = train_run.register_model(model_name="rows-model", model_path="outputs/model.pkl", tags={"area": "rows"})
print("registered:", model.name, model.version, model.tags["area"])
print("downloaded:", model.download(target_dir="models", exist_ok=True))

# %% again, and published
again = Experiment(ws, "Data_dependency").submit(pipeline, pipeline_parameters={"fraction": 0.25})
again.wait_for_completion(show_output=False)
print("reused:", bool(again.find_step_run("Extract rows")[0].properties.get("azureml.reusedrunid")))
published = pipeline.publish(name="Rows to model", description="from a notebook", version="1.0")
print("published:", published.name, published.version, published.status, published.get_step_names())
by_id = published.submit(ws, "Published", pipeline_parameters={"fraction": 1.0})
print("by id:", by_id.wait_for_completion(show_output=False))
reference = by_id.find_step_run("train")[0].get_output_data("trained")
reference.download("downloads")
with open(os.path.join("downloads", reference.path_on_datastore, "model.txt")) as f:
    print("model:", f.read())
