from __future__ import annotations

import subprocess
import sys

import tidemill

PUBLIC = [
    "Artifact",
    "Asset",
    "AssetVersion",
    "Attempt",
    "AuthError",
    "Client",
    "Comment",
    "Component",
    "ConflictError",
    "DigestMismatchError",
    "Event",
    "Input",
    "InputFile",
    "InputFolder",
    "Local",
    "Log",
    "NotFoundError",
    "NotSupportedError",
    "Output",
    "OutputFile",
    "OutputFolder",
    "Param",
    "Pipeline",
    "PipelineFunction",
    "PipelineWarning",
    "Plan",
    "PlannedStep",
    "Problem",
    "Response",
    "Run",
    "RunFailedError",
    "Step",
    "TidemillError",
    "Transport",
    "UnavailableError",
    "ValidationError",
    "WaitTimeoutError",
    "command_step",
    "copy_step",
    "current",
    "errors",
    "load_component",
    "local",
    "pipeline",
    "register_model_step",
    "step",
]


def test_the_public_names_are_exactly_these() -> None:
    assert tidemill.__all__ == sorted(PUBLIC)
    assert dir(tidemill) == sorted(PUBLIC)
    assert set(tidemill._WHERE) == set(PUBLIC)
    for name in PUBLIC:
        assert getattr(tidemill, name) is not None


def test_an_unknown_name_is_no_attribute() -> None:
    assert not hasattr(tidemill, "stepp")


def test_importing_does_nothing_and_needs_nothing_but_the_standard_library() -> None:
    program = "import sys, tidemill; tidemill.step; assert not {'urllib3', 'urllib.request'} & set(sys.modules), 'something was imported'; tidemill.current; assert 'urllib3' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
