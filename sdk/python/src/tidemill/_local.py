"""A server of this machine for as long as this program runs: the installed `tidemill` in one process, with everything that a cluster has.

The same code goes to a cluster by another address.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from tidemill._client import Client
from tidemill.errors import NotFoundError, UnavailableError

__all__ = ["Local", "local"]

COMES_UP_WITHIN_S = 120.0
STOPS_WITHIN_S = 20.0
LOG_LINES_MAX = 200
_NOT_THE_SERVERS = (
    "TIDEMILL_URL",
    "TIDEMILL_TOKEN",
    "TIDEMILL_TOKEN_FILE",
    "TIDEMILL_LISTEN",
    "TIDEMILL_BINARY",
    # The program knows its settings only.
    "TIDEMILL_AZUREML",
)


class Local(Client):
    """A client of a server that this program started, and stops when it is closed or the program ends."""

    def __init__(
        self,
        process: subprocess.Popen[str],
        url: str,
        token: str | None,
        keeper: tempfile.TemporaryDirectory[str] | None,
    ) -> None:
        super().__init__(url, token or "")
        self._process = process
        self._keeper = keeper
        self._closed = False
        atexit.register(self.close)

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def close(self) -> None:
        """Stops the server. Steps that run are taken up again by the next server on the same state folder; a folder of our own is removed."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        _stop(self._process)
        if self._keeper is not None:
            self._keeper.cleanup()


def local(
    state_dir: str | os.PathLike[str] | None = None,
    *,
    slots: int | None = None,
    binary: str | os.PathLike[str] | None = None,
) -> Local:
    """Starts a server on this machine, on a free port of the loopback, and answers with a client of it.

    Without `state_dir` its runs, and what they made, are gone when it is closed. `slots` is how many steps run at once. `binary` is the program; the one on the
    path, or in $TIDEMILL_BINARY, when absent.
    """
    program = _binary(binary)
    keeper = None
    if state_dir is None:
        keeper = tempfile.TemporaryDirectory(prefix="tidemill-")
        state = Path(keeper.name)
    else:
        state = Path(os.fspath(state_dir)).absolute()
    command = [program, "up", "--port", "0", "--state-dir", str(state)]
    if slots is not None:
        command += ["--slots", str(slots)]
    variables = {name: value for name, value in os.environ.items() if name not in _NOT_THE_SERVERS}
    # A group of its own: Ctrl-C in a terminal is for this program, which decides what becomes of the server.
    process = subprocess.Popen(  # noqa: S603 - the program is the user's own
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables,
        start_new_session=True,
    )
    try:
        url = _url(process)
        secret = state / "operator.token"
        token = secret.read_text().strip() if secret.is_file() else None
        return Local(process, url, token, keeper)
    except BaseException:
        _stop(process)
        if keeper is not None:
            keeper.cleanup()
        raise


def _binary(given: str | os.PathLike[str] | None) -> str:
    named = os.fspath(given) if given is not None else os.environ.get("TIDEMILL_BINARY", "tidemill")
    found = shutil.which(named)
    if found is None:
        raise NotFoundError(
            f"there is no program `{named}`",
            code="no_binary",
            hint="install tidemill, or name it: local(binary=…) or $TIDEMILL_BINARY",
        )
    return found


def _url(process: subprocess.Popen[str]) -> str:
    """Waits until the server says where it is; goes on reading what it says, so that it never waits for us."""
    found: list[str] = []
    lines: list[str] = []
    is_known = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if not is_known.is_set():
                lines.append(line)
                del lines[:-LOG_LINES_MAX]
                match = re.search(r"tidemill is up at (\S+)", line)
                if match:
                    found.append(match[1])
                    is_known.set()
        is_known.set()
        process.stdout.close()

    threading.Thread(target=read, name="tidemill-local", daemon=True).start()
    is_known.wait(COMES_UP_WITHIN_S)
    if not found:
        raise UnavailableError(f"the server did not start:\n{''.join(lines)}", code="not_started")
    return re.sub(r"\x1b\[[0-9;]*m", "", found[0])


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
