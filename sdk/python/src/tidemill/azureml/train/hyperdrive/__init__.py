"""Searches for parameters: spaces, samplers, policies that end poor trials early."""

from __future__ import annotations

from enum import Enum
from typing import Any

from tidemill.azureml.core.script_run_config import ScriptRunConfig
from tidemill.azureml.exceptions import UserErrorException, refuse

__all__ = [
    "BanditPolicy",
    "BayesianParameterSampling",
    "GridParameterSampling",
    "HyperDriveConfig",
    "MedianStoppingPolicy",
    "NoTerminationPolicy",
    "PrimaryMetricGoal",
    "RandomParameterSampling",
    "TruncationSelectionPolicy",
    "choice",
    "lognormal",
    "loguniform",
    "normal",
    "qlognormal",
    "qloguniform",
    "qnormal",
    "quniform",
    "randint",
    "uniform",
]

DURATION_MINUTES_MAX = 10080


def choice(*options: Any) -> dict[str, Any]:
    """One of several values."""
    listed = list(options[0]) if len(options) == 1 and not isinstance(options[0], (str, int, float)) else list(options)
    return {"type": "choice", "values": listed}


def randint(upper: int) -> dict[str, Any]:
    """A whole number from 0 up to one below `upper`."""
    return {"type": "randint", "upper": upper}


def uniform(min_value: float, max_value: float) -> dict[str, Any]:
    """A number between two, each as likely."""
    return {"type": "uniform", "min_value": min_value, "max_value": max_value}


def quniform(min_value: float, max_value: float, q: int) -> dict[str, Any]:
    """The same in steps of `q`."""
    return {"type": "quniform", "min_value": min_value, "max_value": max_value, "q": q}


def loguniform(min_value: float, max_value: float) -> dict[str, Any]:
    """A number whose logarithm lies between two."""
    return {"type": "loguniform", "min_value": min_value, "max_value": max_value}


def qloguniform(min_value: float, max_value: float, q: int) -> dict[str, Any]:
    """The same in steps of `q`."""
    return {"type": "qloguniform", "min_value": min_value, "max_value": max_value, "q": q}


def normal(mu: float, sigma: float) -> dict[str, Any]:
    """A number around `mu`."""
    return {"type": "normal", "mu": mu, "sigma": sigma}


def qnormal(mu: float, sigma: float, q: int) -> dict[str, Any]:
    """The same in steps of `q`."""
    return {"type": "qnormal", "mu": mu, "sigma": sigma, "q": q}


def lognormal(mu: float, sigma: float) -> dict[str, Any]:
    """A number whose logarithm lies around `mu`."""
    return {"type": "lognormal", "mu": mu, "sigma": sigma}


def qlognormal(mu: float, sigma: float, q: int) -> dict[str, Any]:
    """The same in steps of `q`."""
    return {"type": "qlognormal", "mu": mu, "sigma": sigma, "q": q}


class PrimaryMetricGoal(Enum):
    """Which metrics are better."""

    MAXIMIZE = "MAXIMIZE"
    MINIMIZE = "MINIMIZE"


class _Sampling:
    _algorithm = ""

    def __init__(self, parameter_space: dict[str, Any], properties: dict[str, Any] | None = None) -> None:
        if not parameter_space:
            raise UserErrorException("the space of parameters is empty", code="bad_space")
        for name, space in parameter_space.items():
            if not isinstance(space, dict) or "type" not in space:
                raise UserErrorException(
                    f"`{name}` is no space", code="bad_space", hint="use choice(…), uniform(…) and their like"
                )
        refuse(type(self).__name__, "there are none", "leave them out", properties=properties)
        self.parameter_space = dict(parameter_space)


class RandomParameterSampling(_Sampling):
    """Values at random."""

    _algorithm = "random"


class GridParameterSampling(_Sampling):
    """Every combination of choices."""

    _algorithm = "grid"

    def __init__(self, parameter_space: dict[str, Any], properties: dict[str, Any] | None = None) -> None:
        super().__init__(parameter_space, properties)
        if any(space["type"] != "choice" for space in parameter_space.values()):
            raise UserErrorException("a grid is made of choices", code="bad_space", hint="use choice(…)")


class BayesianParameterSampling(_Sampling):
    """Values that follow from what was found so far."""

    _algorithm = "bayesian"


class _Policy:
    def __init__(self, evaluation_interval: int = 1, delay_evaluation: int = 0) -> None:
        self.evaluation_interval = evaluation_interval
        self.delay_evaluation = delay_evaluation

    def _rendered(self) -> dict[str, Any] | None:
        raise NotImplementedError

    def _when(self) -> dict[str, Any]:
        return {"evaluation_interval": self.evaluation_interval, "delay_evaluation": self.delay_evaluation}


class BanditPolicy(_Policy):
    """Ends what is too far from the best."""

    def __init__(
        self,
        evaluation_interval: int = 1,
        slack_factor: float | None = None,
        slack_amount: float | None = None,
        delay_evaluation: int = 0,
    ) -> None:
        if (slack_factor is None) == (slack_amount is None):
            raise UserErrorException("give slack_factor or slack_amount", code="bad_policy")
        super().__init__(evaluation_interval, delay_evaluation)
        self.slack_factor = slack_factor
        self.slack_amount = slack_amount

    def _rendered(self) -> dict[str, Any]:
        slack = {"slack_factor": self.slack_factor, "slack_amount": self.slack_amount}
        return {"type": "bandit", **{key: value for key, value in slack.items() if value is not None}, **self._when()}


class MedianStoppingPolicy(_Policy):
    """Ends what is worse than the median."""

    def _rendered(self) -> dict[str, Any]:
        return {"type": "median_stopping", **self._when()}


class TruncationSelectionPolicy(_Policy):
    """Ends the worst part."""

    def __init__(self, truncation_percentage: int, evaluation_interval: int = 1, delay_evaluation: int = 0) -> None:
        super().__init__(evaluation_interval, delay_evaluation)
        self.truncation_percentage = truncation_percentage

    def _rendered(self) -> dict[str, Any]:
        return {
            "type": "truncation_selection",
            "truncation_percentage": self.truncation_percentage,
            **self._when(),
        }


class NoTerminationPolicy(_Policy):
    """Ends nothing."""

    def __init__(self) -> None:
        super().__init__()

    def _rendered(self) -> None:
        return None


class HyperDriveConfig:
    """A search: what is run, over which space, for which metric, how often."""

    def __init__(
        self,
        hyperparameter_sampling: _Sampling,
        primary_metric_name: str,
        primary_metric_goal: PrimaryMetricGoal,
        max_total_runs: int,
        max_concurrent_runs: int | None = None,
        max_duration_minutes: int = DURATION_MINUTES_MAX,
        policy: _Policy | None = None,
        estimator: Any = None,
        run_config: Any = None,
        resume_from: Any = None,
        resume_child_runs: Any = None,
        pipeline: Any = None,
        debug_flag: Any = None,
        custom_run_id: str | None = None,
    ) -> None:
        from tidemill.azureml.pipeline.steps.python_script_step import script_of

        refuse(
            "HyperDriveConfig",
            "a search begins anew",
            "leave it out",
            resume_from=resume_from,
            resume_child_runs=resume_child_runs,
            pipeline=pipeline,
            debug_flag=debug_flag,
            custom_run_id=custom_run_id,
        )
        self._script: ScriptRunConfig = script_of(run_config or estimator, "HyperDriveConfig")
        self.run_config = run_config
        self.estimator = estimator
        self.primary_metric_name = primary_metric_name
        self._space = hyperparameter_sampling.parameter_space
        self._sampling = hyperparameter_sampling._algorithm
        self._goal = PrimaryMetricGoal(primary_metric_goal).value.lower()
        self._early_termination = policy._rendered() if policy is not None else None
        self._limits: dict[str, Any] = {
            "max_total_trials": max_total_runs,
            "timeout": max_duration_minutes * 60,
        }
        if max_concurrent_runs is not None:
            self._limits["max_concurrent_trials"] = max_concurrent_runs

    @property
    def source_directory(self) -> str:
        """The folder of its script."""
        return self._script.source_directory

    def _step(self, name: str) -> Any:
        from tidemill.azureml.pipeline.steps.hyper_drive_step import HyperDriveStep

        return HyperDriveStep(name, self)
