"""A notebook of azureml that publishes, is started over REST, and is scheduled."""

import urllib3
from azureml.core import Experiment, Workspace
from azureml.core.authentication import InteractiveLoginAuthentication
from azureml.pipeline.core import Pipeline, PipelineParameter, PipelineRun, Schedule, ScheduleRecurrence, TimeZone
from azureml.pipeline.steps import CommandStep

ws = Workspace.from_config()
rows = PipelineParameter(name="rows", default_value=2)
pipeline = Pipeline(ws, [CommandStep(["echo rows", rows], "log", allow_reuse=False)])
run = Experiment(ws, "Published").submit(pipeline)
run.wait_for_completion(show_output=False)

# %% published, and started over REST
published = pipeline.publish(name="Logged_Pipeline", description="logs", version="2.0")
auth_header = InteractiveLoginAuthentication().get_authentication_header()
body = {"ExperimentName": "Rest", "RunSource": "SDK", "ParameterAssignments": {"rows": 5}}
response = urllib3.request("POST", published.endpoint, headers=auth_header, json=body)
assert response.status == 200, response.data
by_rest = PipelineRun(Experiment(ws, "Rest"), response.json()["Id"])
print("by rest:", by_rest.wait_for_completion(show_output=False))
print("rows:", by_rest.find_step_run("log")[0].get_stdout_log().strip())
again = run.publish_pipeline(name="From a run", description="as it ran", version="1")
print("from a run:", again.id, again.submit(ws, "Again").wait_for_completion(show_output=False))

# %% scheduled
recurrence = ScheduleRecurrence(
    frequency="Day",
    interval=1,
    hours=[3],
    minutes=[30],
    start_time="2131-07-01T03:30:00",
    time_zone=TimeZone.PacificStandardTime,
)
schedule = Schedule.create(
    ws,
    name="Nightly",
    pipeline_id=published.id,
    experiment_name="Scheduled",
    recurrence=recurrence,
    pipeline_parameters={"rows": 3},
    description="every night",
    wait_for_provisioning=True,
)
print("schedule:", schedule.id, schedule.status, schedule.pipeline_id, schedule.recurrence["frequency"])
print("from:", schedule.recurrence["time_zone"], schedule.recurrence["start_at"])
schedule.update(
    description="other",
    recurrence=ScheduleRecurrence(frequency="Week", interval=1, week_days=["Monday"], time_of_day="6:00"),
)
print("changed:", Schedule.get(ws, schedule.id).description, Schedule.get(ws, schedule.id).recurrence["frequency"])
schedule.disable(wait_for_provisioning=True)
print(
    "disabled:",
    schedule.status,
    [s.id for s in Schedule.list(ws)],
    len(Schedule.list(ws, active_only=False, pipeline_id=published.id)),
)
schedule.enable()
print("enabled:", schedule.status, schedule.get_last_pipeline_run())
