"""Schedules: when a published pipeline is started by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tidemill._http import part
from tidemill._values import parameter_texts
from tidemill._zones import placed
from tidemill.azureml._names import as_name
from tidemill.azureml.exceptions import UserErrorException, not_supported
from tidemill.azureml.pipeline.core.graph import parameters_of
from tidemill.azureml.pipeline.core.time_zones import TimeZone, zone_name

if TYPE_CHECKING:
    from tidemill.azureml.core.workspace import Workspace
    from tidemill.azureml.pipeline.core.run import PipelineRun

__all__ = ["Schedule", "ScheduleRecurrence", "TimeZone"]

SCHEDULES = "/api/v1/schedules"
FREQUENCIES = ("Minute", "Hour", "Day", "Week", "Month")
# The address of the watched folder, in the parameters of a schedule.
CHANGED_PATH = "${{trigger.path}}"
WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class ScheduleRecurrence:
    """Again and again: every so many minutes, hours, days, weeks or months."""

    def __init__(
        self,
        frequency: str,
        interval: int,
        start_time: Any = None,
        time_zone: Any = None,
        hours: Sequence[int] | None = None,
        minutes: Sequence[int] | None = None,
        week_days: Sequence[str] | None = None,
        time_of_day: str | None = None,
    ) -> None:
        self.frequency = frequency
        self.interval = interval
        self.start_time = start_time
        self.time_zone = time_zone
        self.hours = list(hours or [])
        self.minutes = list(minutes or [])
        self.week_days = list(week_days or [])
        self.time_of_day = time_of_day
        self.validate()

    def validate(self) -> None:
        """Raises for what makes no sense."""
        if self.frequency not in FREQUENCIES:
            raise UserErrorException(f"`{self.frequency}` is none of {', '.join(FREQUENCIES)}", code="bad_frequency")
        if self.interval < 1:
            raise UserErrorException("the interval is at least 1", code="bad_interval")
        if self.time_of_day and (self.hours or self.minutes):
            raise UserErrorException("give time_of_day, or hours and minutes", code="bad_time")
        if self.week_days and self.frequency != "Week":
            raise UserErrorException("days of the week go with the frequency Week", code="bad_time")
        if (self.hours or self.minutes or self.time_of_day) and self.frequency not in ("Day", "Week"):
            raise UserErrorException("times of the day go with the frequencies Day and Week", code="bad_time")
        strange = [day for day in self.week_days if day not in WEEK_DAYS]
        if strange:
            raise UserErrorException(f"`{strange[0]}` is none of {', '.join(WEEK_DAYS)}", code="bad_time")

    def _rendered(self) -> dict[str, Any]:
        hours, minutes = self.hours, self.minutes
        if self.time_of_day:
            hour, _, minute = self.time_of_day.partition(":")
            hours, minutes = [int(hour)], [int(minute or 0)]
        found: dict[str, Any] = {"frequency": self.frequency.lower(), "interval": self.interval}
        if hours:
            found["hours"] = hours
        if minutes:
            found["minutes"] = minutes
        if self.week_days:
            found["week_days"] = [day.lower() for day in self.week_days]
        zone = zone_name(self.time_zone)
        if zone is not None:
            found["time_zone"] = zone
        if self.start_time is not None:
            found["start_at"] = self._start()
        return found

    def _start(self) -> int:
        """The start in milliseconds; without an offset it is by the clocks of the time zone."""
        start = self.start_time
        if isinstance(start, str):
            try:
                start = datetime.fromisoformat(start.replace("Z", "+00:00"))
            except ValueError as error:
                raise UserErrorException(
                    f"`{start}` is no time", code="bad_time", hint="write it as 2026-01-31T08:00:00"
                ) from error
        return int(placed(start, zone_name(self.time_zone) or "UTC").timestamp() * 1000)


class Schedule:
    """When a published pipeline is started by itself."""

    def __init__(self, workspace: Workspace, view: Mapping[str, Any]) -> None:
        self.workspace = workspace
        self._view = dict(view)

    @staticmethod
    def create(
        workspace: Workspace,
        name: str,
        pipeline_id: str,
        experiment_name: str,
        recurrence: ScheduleRecurrence | None = None,
        description: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Any = None,
        polling_interval: int = 5,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
    ) -> Schedule:
        """A schedule of a published pipeline: by a recurrence, or by changes of files in a datastore.

        Of files, everything that was added or changed since the look before starts one run, sub-folders included, and the parameter of the path is given the folder.
        """
        if (recurrence is None) == (datastore is None):
            raise UserErrorException("give a recurrence, or a datastore", code="no_trigger")
        pipeline, _, version = pipeline_id.partition(":")
        parameters = parameter_texts(parameters_of(pipeline_parameters))
        if datastore is not None and data_path_parameter_name:
            parameters[data_path_parameter_name] = CHANGED_PATH
        spec: dict[str, Any] = {
            "trigger": _trigger(recurrence, datastore, path_on_datastore, polling_interval),
            "pipeline": as_name(pipeline),
            "version": version or None,
            "parameters": parameters,
            # A change that comes while a run goes on is not to be lost.
            "overlap": "queue" if datastore is not None else None,
            "experiment": as_name(experiment_name),
            "continue_on_step_failure": continue_on_step_failure,
            "description": description or "",
        }
        return Schedule._put(workspace, as_name(name), spec, is_new=True)

    @staticmethod
    def create_for_pipeline_endpoint(
        workspace: Workspace,
        name: str,
        pipeline_endpoint_id: str,
        experiment_name: str,
        recurrence: ScheduleRecurrence | None = None,
        description: str | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Any = None,
        polling_interval: int = 5,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
    ) -> Schedule:
        """A schedule of an endpoint: its default version is looked up each time."""
        return Schedule.create(
            workspace,
            name,
            pipeline_endpoint_id.partition(":")[0],
            experiment_name,
            recurrence,
            description,
            pipeline_parameters,
            datastore=datastore,
            polling_interval=polling_interval,
            data_path_parameter_name=data_path_parameter_name,
            continue_on_step_failure=continue_on_step_failure,
            path_on_datastore=path_on_datastore,
        )

    @staticmethod
    def get(workspace: Workspace, id: str) -> Schedule:
        """A schedule by its name, which is its id."""
        return Schedule(workspace, workspace._client._http.json("GET", f"{SCHEDULES}/{part(as_name(id))}"))

    @staticmethod
    def list(
        workspace: Workspace,
        active_only: bool = True,
        pipeline_id: str | None = None,
        pipeline_endpoint_id: str | None = None,
    ) -> list[Schedule]:
        """Schedules, all or those of a pipeline."""
        wanted = (pipeline_id or pipeline_endpoint_id or "").partition(":")[0]
        found = [Schedule(workspace, view) for view in workspace._client._http.json("GET", SCHEDULES)]
        return [
            schedule
            for schedule in found
            if (not active_only or schedule.status == "Active") and wanted in ("", schedule._spec["pipeline"])
        ]

    get_all = list

    @staticmethod
    def get_schedules_for_pipeline_id(workspace: Workspace, pipeline_id: str) -> Any:
        """The schedules of a published pipeline."""
        return Schedule.list(workspace, active_only=False, pipeline_id=pipeline_id)

    @staticmethod
    def get_schedules_for_pipeline_endpoint_id(workspace: Workspace, pipeline_endpoint_id: str) -> Any:
        """The schedules of an endpoint."""
        return Schedule.list(workspace, active_only=False, pipeline_endpoint_id=pipeline_endpoint_id)

    @staticmethod
    def load_yaml(workspace: Workspace, filename: str) -> Any:
        """Not here: schedule files are read by the command line."""
        raise not_supported(
            "Schedule.load_yaml", "schedule files are read by the command line", "`tidemill schedule create FILE`"
        )

    @property
    def id(self) -> str:
        """Its name."""
        return str(self._view["name"])

    name = id

    @property
    def description(self) -> str:
        """Free text."""
        return str(self._spec.get("description", ""))

    @property
    def pipeline_id(self) -> str:
        """The pipeline that it starts, `NAME:VERSION` or `NAME`."""
        version = self._spec.get("version")
        return f"{self._spec['pipeline']}:{version}" if version else str(self._spec["pipeline"])

    @property
    def pipeline_endpoint_id(self) -> str:
        """The pipeline that it starts, by its name."""
        return str(self._spec["pipeline"])

    @property
    def status(self) -> str:
        """Active or Disabled."""
        return "Disabled" if self._view.get("pause") else "Active"

    @property
    def recurrence(self) -> dict[str, Any] | None:
        """When it fires, as the coordinator keeps it."""
        found = self._spec["trigger"].get("recurrence")
        return dict(found) if found else None

    @property
    def continue_on_step_failure(self) -> bool | None:
        """Whether steps that do not depend on a failed one go on."""
        return self._spec.get("continue_on_step_failure")

    def update(
        self,
        name: str | None = None,
        description: str | None = None,
        recurrence: ScheduleRecurrence | None = None,
        pipeline_parameters: Mapping[str, Any] | None = None,
        status: str | None = None,
        wait_for_provisioning: bool = False,
        wait_timeout: int = 3600,
        datastore: Any = None,
        polling_interval: int | None = None,
        data_path_parameter_name: str | None = None,
        continue_on_step_failure: bool | None = None,
        path_on_datastore: str | None = None,
    ) -> None:
        """Changes what is given."""
        if name is not None and as_name(name) != self.id:
            raise not_supported(
                "renaming a schedule", "it is called by its name", "create another, and disable this one"
            )
        spec = dict(self._spec)
        if description is not None:
            spec["description"] = description
        if recurrence is not None or datastore is not None:
            every = 5 if polling_interval is None else polling_interval
            spec["trigger"] = _trigger(recurrence, datastore, path_on_datastore, every)
        if pipeline_parameters is not None:
            spec["parameters"] = parameter_texts(parameters_of(pipeline_parameters))
        if data_path_parameter_name:
            spec["parameters"] = {**spec.get("parameters", {}), data_path_parameter_name: CHANGED_PATH}
        if continue_on_step_failure is not None:
            spec["continue_on_step_failure"] = continue_on_step_failure
        if spec != self._spec:
            self._view = Schedule._put(self.workspace, self.id, spec, is_new=False)._view
        if status is not None:
            self.disable() if status == "Disabled" else self.enable()

    def enable(self, wait_for_provisioning: bool = False, wait_timeout: int = 3600) -> None:
        """Lets it fire again."""
        self._view = self._ask("POST", "/resume")

    def disable(self, wait_for_provisioning: bool = False, wait_timeout: int = 3600) -> None:
        """Lets it fire no more."""
        self._view = self._ask("POST", "/pause", {})

    def get_pipeline_runs(self) -> Any:
        """The runs that it started, newest first."""
        from tidemill.azureml.core.experiment import Experiment
        from tidemill.azureml.pipeline.core.run import PipelineRun

        runs = self.workspace._client.runs.list(tags={"tidemill.schedule": self.id})
        return [PipelineRun._of(Experiment(self.workspace, run.experiment), run) for run in runs]

    def get_last_pipeline_run(self) -> PipelineRun | None:
        """The last of them."""
        return next(iter(self.get_pipeline_runs()), None)

    @property
    def _spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self._view["spec"]
        return found

    def _ask(self, method: str, tail: str, body: Any = None) -> Any:
        return self.workspace._client._http.json(method, f"{SCHEDULES}/{part(self.id)}{tail}", body=body)

    @staticmethod
    def _put(workspace: Workspace, name: str, spec: Mapping[str, Any], *, is_new: bool) -> Schedule:
        headers = {"if-none-match": "*"} if is_new else {}
        body = {key: value for key, value in spec.items() if value is not None}
        http = workspace._client._http
        path = f"{SCHEDULES}/{part(name)}"
        return Schedule(workspace, http.json("PUT", path, body=body, headers=headers, once=True))

    def __repr__(self) -> str:
        return f"Pipeline(Name: {self.name}, Pipeline Id: {self.pipeline_id}, Status: {self.status})"


def _trigger(recurrence: ScheduleRecurrence | None, datastore: Any, path: str | None, minutes: int) -> dict[str, Any]:
    if datastore is None:
        assert recurrence is not None
        return {"recurrence": recurrence._rendered()}
    name = as_name(datastore if isinstance(datastore, str) else datastore.name)
    return {"files_changed": {"datastore": name, "path": (path or "").strip("/"), "every": minutes * 60_000}}
