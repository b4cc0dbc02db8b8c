from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tidemill
from tests.contract.counted import doubled


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_ends_with_its_client_and_its_runs_stay_in_a_folder_that_was_named(
    project: Path, tmp_path: Path
) -> None:
    with tidemill.local(tmp_path / "state") as first:
        run = first.submit(doubled(project / "rows.csv")).wait(timeout=120)
        pid = first.pid
        assert tidemill.Client(first.url, first._http.config.token).whoami()["scope"] == "admin"
    assert not is_alive(pid)
    with tidemill.local(tmp_path / "state") as second:
        assert second.runs.get(run.id).outputs["total"].read_text() == "20"
        with pytest.raises(tidemill.UnavailableError, match="did not start"):
            tidemill.local(tmp_path / "state")


def test_a_server_starts_where_azuremls_name_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_AZUREML", "1")
    with tidemill.local() as local:
        assert local.whoami()["scope"] == "admin"


def test_a_server_ends_with_the_program_that_started_it() -> None:
    program = textwrap.dedent("""
        import tidemill
        client = tidemill.local()
        print(client.pid, client.url)
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    pid, url = done.stdout.split()
    assert not is_alive(int(pid))
    with pytest.raises(tidemill.UnavailableError, match="no answer"):
        tidemill.Client(url, timeout=1).whoami()


def test_without_the_program_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(tidemill.NotFoundError, match="install tidemill"):
        tidemill.local(binary=tmp_path / "none")
