"""`azureml.core.compute.amlcompute`."""

from tidemill.azureml.core.compute import AmlCompute

__all__ = ["AmlCompute"]
