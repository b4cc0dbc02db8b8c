"""Finds the square root of two by descent, and logs how it gets there."""

import argparse
import json

import mlflow

arguments = argparse.ArgumentParser()
arguments.add_argument("--rate", type=float, required=True)
arguments.add_argument("--model", required=True)
given = arguments.parse_args()

# The server, the experiment and the run are in the environment of the step.
with mlflow.start_run():
    mlflow.log_param("rate", given.rate)
    x = 1.0
    for step in range(20):
        error = x * x - 2
        mlflow.log_metric("error", abs(error), step=step)
        x -= given.rate * error / (2 * x)
    mlflow.log_dict({"x": x}, "notes/result.json")

with open(given.model, "w") as model:
    json.dump({"x": x}, model)
