"""What stands in for azureml in a step: `Run.get_context()` and what scripts do with it.

It is put beside the code of every step that was drawn with azureml's names, and uses only the standard library of Python 3.8 and newer. Parts of azureml that are not here are
found where they are installed.
"""

import os
import pkgutil

__path__ = pkgutil.extend_path(__path__, __name__)

# What scripts written for PipelineData look up.
for _name in list(os.environ):
    for _prefix in ("TIDEMILL_INPUT_", "TIDEMILL_OUTPUT_"):
        if _name.startswith(_prefix):
            os.environ.setdefault("AZUREML_DATAREFERENCE_" + _name[len(_prefix) :], os.environ[_name])
