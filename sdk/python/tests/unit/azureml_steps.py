"""What the tests of azureml's names share: a workspace on a coordinator without a port, and a folder of scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Fake, answer
from tidemill import Client
from tidemill.azureml.core import Workspace


@pytest.fixture
def fake() -> Fake:
    return Fake().on("GET", "/api/v1/datastores", answer({"message": "none"}, status=404))


@pytest.fixture
def ws(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    for name in ("prep.py", "train.py", "score.py"):
        (tmp_path / "src" / name).write_text("print('hello')\n")
    return Workspace.of(Client("http://127.0.0.1:1", transport=fake))


def drawn(workspace: Workspace, *steps: Any, **options: Any) -> dict[str, Any]:
    from tidemill.azureml.pipeline.core import Pipeline

    found: dict[str, Any] = Pipeline(workspace, list(steps), **options)._drawn("test").to_dict()
    return found


def job(workspace: Workspace, step: Any) -> dict[str, Any]:
    (found,) = drawn(workspace, step)["jobs"].values()
    return dict(found)
