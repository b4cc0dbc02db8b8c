"""`azureml.core` in a step."""

import pkgutil

from .data import Dataset, Datastore
from .model import Model
from .run import Run
from .workspace import Experiment, Workspace

__path__ = pkgutil.extend_path(__path__, __name__)
__all__ = ["VERSION", "Dataset", "Datastore", "Experiment", "Model", "Run", "Workspace"]

VERSION = "1.62.0"
