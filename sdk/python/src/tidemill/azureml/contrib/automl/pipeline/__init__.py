"""`azureml.contrib.automl.pipeline`."""
