"""`azureml.core.compute.compute`."""

from tidemill.azureml.core.compute import ComputeTarget

__all__ = ["ComputeTarget"]
