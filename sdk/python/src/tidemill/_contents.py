"""Local files into the store: what is missing is asked first, then sent several at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidemill._http import Http
    from tidemill._scan import Entry, Scan

__all__ = ["as_files", "make_artifact", "send"]

ASKED_MAX = 10_000
FILES_AT_ONCE = 8


def send(http: Http, entries: Iterable[Entry]) -> None:
    """Brings what the store lacks to it."""
    by_hash = {entry.sha256: entry for entry in entries}
    names = list(by_hash)
    missing: list[str] = []
    for start in range(0, len(names), ASKED_MAX):
        body = {"sha256": names[start : start + ASKED_MAX]}
        missing += http.json("POST", "/api/v1/contents/missing", body=body, repeatable=True)["missing"]
    if not missing:
        return
    with ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="tidemill-upload") as pool:
        # Reading the results raises what went wrong; what has not begun by then does not begin.
        futures = [pool.submit(_send_one, http, by_hash[name]) for name in missing]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _send_one(http: Http, entry: Entry) -> None:
    body = entry.open()
    headers = {"content-type": "application/octet-stream", "content-length": str(entry.size_bytes)}
    try:
        answer = http.open("PUT", f"/api/v1/contents/{entry.sha256}", body=body, headers=headers, timeout=None)
        answer.read()
        answer.close()
    finally:
        if not isinstance(body, bytes):
            body.close()


def as_files(scan: Scan) -> dict[str, Any]:
    """What was found, as requests tell of it."""
    files = [
        {
            **({"path": entry.path} if entry.path is not None else {}),
            "sha256": entry.sha256,
            "size_bytes": entry.size_bytes,
            **({"executable": True} if entry.executable else {}),
        }
        for entry in scan.entries
    ]
    return {"files": files, **({"empty_folders": scan.empty_folders} if scan.empty_folders else {})}


def make_artifact(http: Http, scan: Scan, *, folder: bool) -> dict[str, Any]:
    """Sends a file or folder and answers with the artifact that it is."""
    send(http, scan.entries)
    body = {"folder": folder, **as_files(scan)}
    made: dict[str, Any] = http.json("POST", "/api/v1/contents/artifacts", body=body, repeatable=True)
    return made
