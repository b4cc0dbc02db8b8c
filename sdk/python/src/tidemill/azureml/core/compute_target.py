"""`azureml.core.compute_target`: where notebooks find the error for a target that is not there."""

from tidemill.azureml.core.compute import AmlCompute, ComputeTarget
from tidemill.azureml.exceptions import ComputeTargetException

__all__ = ["AmlCompute", "ComputeTarget", "ComputeTargetException"]
