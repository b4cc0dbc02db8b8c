from __future__ import annotations

from pathlib import Path

import pandas

import tidemill


def test_what_steps_log_is_read_as_rows(server: tidemill.Local, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    program = "import sys; sys.path.insert(0, sys.argv[1])\nfrom tidemill import current\nfor i in range(3):\n    assert current.log_metric('loss', 1 / (i + 1), step=i)\n"
    (tmp_path / "src/log.py").write_text(program)
    package = Path(tidemill.__file__).parent.parent
    (tmp_path / "logs.yml").write_text(
        f"type: pipeline\nname: logs\nexperiment_name: metered\njobs:\n  train:\n    code: ./src\n    command: python3 log.py {package}\n"
    )
    run = server.submit(tmp_path / "logs.yml").wait(timeout=120)
    (last,) = run.metrics()
    assert (last["step"], last["attempt"], last["key"], last["value"], last["iteration"]) == (
        "train",
        1,
        "loss",
        1 / 3,
        2,
    )
    assert [row["value"] for row in run.metrics(history=True)] == [1.0, 0.5, 1 / 3]
    again = server.submit(tmp_path / "logs.yml").wait(timeout=120)
    assert again["train"].status == "reused"
    (reused,) = again.metrics()
    assert (reused["step"], reused["value"], reused["reused_from"]) == ("train", 1 / 3, f"{run.id}/train")
    assert len(again.metrics(history=True)) == 3
    frame = run.metrics_frame(history=True)
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["iteration"]) == [0, 1, 2]
