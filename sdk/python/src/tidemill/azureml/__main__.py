"""`python -m tidemill.azureml SCRIPT …`: runs a script that imports azureml, unchanged."""

from __future__ import annotations

import runpy
import sys

from tidemill.azureml import install


def main() -> None:
    """Runs the script that is named first, with the arguments after it."""
    if len(sys.argv) < 2:
        sys.exit("python -m tidemill.azureml SCRIPT [ARGUMENT …]")
    install()
    del sys.argv[0]
    sys.path[0] = sys.argv[0].rpartition("/")[0] or "."
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
