"""One server for all tests of this folder: the real binary, as `tidemill.local()` starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tidemill


@pytest.fixture(scope="session")
def server() -> Iterator[tidemill.Local]:
    with tidemill.local(slots=4) as local:
        yield local


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "rows.csv").write_text("a\nb\nc\nd\n")
    (folder / "src/count.py").write_text(
        "import sys\n"
        "lines = open(sys.argv[1]).read().split()\n"
        "print('counting', len(lines))\n"
        "open(sys.argv[2], 'w').write(str(len(lines) * int(sys.argv[3])))\n"
    )
    (folder / "count.yml").write_text(
        "type: command\n"
        "inputs:\n"
        "  rows: {type: uri_file}\n"
        "  times: {type: integer, default: 1}\n"
        "outputs:\n"
        "  total: {type: uri_file}\n"
        "code: ./src\n"
        "command: python3 count.py ${{inputs.rows}} ${{outputs.total}} ${{inputs.times}}\n"
    )
    (folder / "pipeline.yml").write_text(
        "type: pipeline\n"
        "name: counting\n"
        "inputs:\n"
        "  rows: {type: uri_file, path: rows.csv}\n"
        "  times: 2\n"
        "outputs:\n"
        "  total: {type: uri_file}\n"
        "jobs:\n"
        "  count:\n"
        "    component: ./count.yml\n"
        "    inputs: {rows: '${{parent.inputs.rows}}', times: '${{parent.inputs.times}}'}\n"
        "    outputs: {total: '${{parent.outputs.total}}'}\n"
    )
    return folder
