"""`azureml.contrib`."""
