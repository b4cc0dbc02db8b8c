"""azureml's calls that log: what is logged goes to a tracking server where there is one, and is printed where there is none. Series, rows and tables are kept as metrics with steps; texts as tags."""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

from .files import RunFiles

__all__ = ["RunLog", "assembled", "metric_key"]

TEXT_TAG = "azureml.text."
TABLE_TAG = "azureml.table."
PROPERTY_TAG = "azureml.property."
# Before the name of whatever was logged to the run of the pipeline: it is kept with the step.
PARENT_TAG = "azureml.parent."
# And before that of a metric, of which the tag has no more than the name.
PARENT_METRIC_TAG = PARENT_TAG + "metric."
# What a metric may not be called here is spelled otherwise there.
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./ ")


class RunLog(RunFiles):
    """What a run logs."""

    def __init__(self, tracking: Any, folder: Optional[Path]) -> None:
        self._tracking = tracking
        self._folder = folder
        self._counts: Dict[str, int] = {}
        self._logged: Dict[str, Any] = {}
        # Who logged the last number under a name, and which: what is logged to a step and to its parent is recorded once.
        self._latest: Dict[str, Tuple[int, float]] = {}
        self._tags: Dict[str, str] = {}
        self._properties: Dict[str, str] = {}

    def log(self, name: str, value: Any, description: str = "", step: Optional[int] = None) -> None:
        """Logs a value; the same name again makes a series."""
        number = _number(value)
        if number is None:
            self._text(TEXT_TAG + name, str(value))
            self._remember(name, value)
            return
        if self._is_recorded(name, number):
            self._remember(name, value)
            return
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        self._metrics([{"key": metric_key(name), "value": number, "step": count if step is None else step}])
        self._remember(name, value)

    def log_list(self, name: str, value: Iterable[Any], description: str = "") -> None:
        """Logs a series at once."""
        values = list(value)
        if any(_number(each) is None for each in values):
            self._text(TEXT_TAG + name, json.dumps(values, default=str))
        else:
            start = self._counts.get(name, 0)
            self._counts[name] = start + len(values)
            numbers = [_number(each) for each in values]
            self._metrics([{"key": metric_key(name), "value": n, "step": start + i} for i, n in enumerate(numbers)])
        for each in values:
            self._remember(name, each)

    def log_row(self, name: str, description: Optional[str] = None, **kwargs: Any) -> None:
        """Logs a row of a table; columns by name."""
        number = self._counts.get(name, 0)
        self._counts[name] = number + 1
        self._row(name, number, kwargs)

    def log_table(self, name: str, value: Mapping[str, Any], description: str = "") -> None:
        """Logs a table: columns of equal length, or single values."""
        columns = {key: list(each) if isinstance(each, (list, tuple)) else [each] for key, each in value.items()}
        for index in range(max((len(column) for column in columns.values()), default=0)):
            self._row(name, index, {key: column[index] for key, column in columns.items() if index < len(column)})

    def log_image(self, name: str, path: Optional[str] = None, plot: Any = None, description: str = "") -> None:
        """Keeps a picture: a file, or a plot of matplotlib."""
        if (path is None) == (plot is None):
            raise ValueError("give a path or a plot")
        if path is not None:
            self.upload_file("images/" + name + Path(path).suffix, path)
            return
        place = self._place("images/" + name + ".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        plot.savefig(str(place), format="png")

    def log_confusion_matrix(self, name: str, value: Any, description: str = "") -> None:
        """Keeps a chart's data as a file."""
        self._chart("confusion_matrix", name, value)

    def log_accuracy_table(self, name: str, value: Any, description: str = "") -> None:
        """Keeps a chart's data as a file."""
        self._chart("accuracy_table", name, value)

    def log_residuals(self, name: str, value: Any, description: str = "") -> None:
        """Keeps a chart's data as a file."""
        self._chart("residuals", name, value)

    def log_predictions(self, name: str, value: Any, description: str = "") -> None:
        """Keeps a chart's data as a file."""
        self._chart("predictions", name, value)

    def tag(self, key: str, value: Any = None) -> None:
        """Sets a tag."""
        text = "" if value is None else str(value)
        self._tags[key] = text
        self._text(key, text)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Sets tags."""
        for key, value in tags.items():
            self.tag(key, value)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Sets properties, which are tags of their own kind here."""
        for key, value in properties.items():
            self._properties[key] = str(value)
            self._text(PROPERTY_TAG + key, str(value))

    def remove_tags(self, tags: Union[str, Sequence[str]]) -> None:
        """Removes tags."""
        for key in [tags] if isinstance(tags, str) else tags:
            self._tags.pop(key, None)
            self._removed(key)

    @property
    def tags(self) -> Dict[str, str]:
        """The tags that this process has set."""
        return dict(self._tags)

    def get_tags(self) -> Dict[str, str]:
        """The tags that this process has set."""
        return self.tags

    @property
    def properties(self) -> Dict[str, str]:
        """The properties that this process has set."""
        return dict(self._properties)

    def get_properties(self) -> Dict[str, str]:
        """The properties that this process has set."""
        return self.properties

    def get_metrics(
        self, name: Optional[str] = None, recursive: bool = False, run_type: Any = None, populate: bool = False
    ) -> Dict[str, Any]:
        """What this process has logged."""
        return {key: value for key, value in self._logged.items() if name in (None, key)}

    def flush(self, timeout_seconds: int = 300) -> None:
        """Returns at once: what is logged is sent when it is logged."""

    def _row(self, name: str, number: int, columns: Mapping[str, Any]) -> None:
        metrics = []
        for column, value in columns.items():
            as_number = _number(value)
            if as_number is None:
                self._text("%s%s.%s.%d" % (TEXT_TAG, name, column, number), str(value))
            else:
                metrics.append({"key": metric_key(name + "." + column), "value": as_number, "step": number})
            self._logged.setdefault(name, {}).setdefault(column, []).append(value)
        self._text(TABLE_TAG + name, json.dumps(sorted(self._logged.get(name, {}))))
        self._metrics(metrics)

    def _chart(self, kind: str, name: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        place = self._place(kind + "/" + name + ".json")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def _metrics(self, metrics: List[Dict[str, Any]]) -> None:
        if self._tracking is not None:
            self._tracking.log(metrics)
            return
        for metric in metrics:
            print("%s: %s (%d)" % (metric["key"], metric["value"], metric["step"]))

    def _is_recorded(self, name: str, number: float) -> bool:
        """Whether the other of a step and its parent has just logged the same."""
        known = self._latest.pop(name, None)
        if known is not None and known[0] != id(self) and known[1] == number:
            return True
        self._latest[name] = (id(self), number)
        return False

    def _removed(self, key: str) -> None:
        if self._tracking is not None:
            self._tracking.untag(key)

    def _text(self, key: str, value: str) -> None:
        if self._tracking is not None:
            self._tracking.tag(key, value)
        elif not key.startswith(TABLE_TAG):
            print("%s: %s" % (key.replace(TEXT_TAG, "", 1).replace(PROPERTY_TAG, "", 1), value))

    def _remember(self, name: str, value: Any) -> None:
        known = self._logged.get(name)
        if name not in self._logged:
            self._logged[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            self._logged[name] = [known, value]


def assembled(series: Mapping[str, Sequence[Union[int, float]]], tags: Mapping[str, str]) -> Dict[str, Any]:
    """Metrics and tags of a tracking server as azureml's metrics: a value, a list where there are several, a table by its columns."""
    found: Dict[str, Any] = {}
    rest = dict(series)
    for tag, text in tags.items():
        if tag.startswith(TABLE_TAG):
            name = tag[len(TABLE_TAG) :]
            columns = {column: list(rest.pop(metric_key(name + "." + column), [])) for column in json.loads(text)}
            found[name] = {column: values for column, values in columns.items() if values}
    for key, values in rest.items():
        found[key] = values[0] if len(values) == 1 else list(values)
    for tag, text in tags.items():
        if tag.startswith(TEXT_TAG):
            found.setdefault(tag[len(TEXT_TAG) :], text)
    return found


def metric_key(name: str) -> str:
    """The name of a metric, spelled so that the tracking server takes it."""
    return "".join(char if char in _PLAIN else "_" for char in name)


def _number(value: Any) -> Optional[float]:
    if isinstance(value, str):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
