"""Which coordinator, with which token: argument ← environment ← the command line's settings files ← the coordinator of this machine.

The same files, variables and rules as the command line's; nothing is written here.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidemill.errors import AuthError, ValidationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Config", "settings_files", "state_folder", "workspace_texts"]

FILE_BYTES_MAX = 1024 * 1024
WORKSPACE_KEYS = ("environments", "computes", "datastores", "data", "components", "default_compute")


@dataclass(frozen=True)
class Config:
    """Where the coordinator is and how to speak to it."""

    url: str
    token: str | None = field(repr=False)
    ca: str | None

    @classmethod
    def resolve(
        cls,
        url: str | None = None,
        token: str | None = None,
        ca: str | None = None,
        insecure_plaintext: bool | None = None,
    ) -> Config:
        """Finds what was not given."""
        settings = _settings()
        ca = ca or os.environ.get("TIDEMILL_API_CA") or settings.get("api_ca")
        if insecure_plaintext is None:
            text = os.environ.get("TIDEMILL_INSECURE_PLAINTEXT") or settings.get("insecure_plaintext")
            insecure_plaintext = str(text).lower() == "true"
        own = False
        url = url or os.environ.get("TIDEMILL_URL") or settings.get("url")
        if not url:
            url, own = _coordinator_here(), True
        if not url:
            raise ValidationError(
                "no coordinator was named, and none runs on this machine",
                code="no_url",
                hint="set TIDEMILL_URL, pass url=…, start one with `tidemill up`, or use tidemill.local()",
            )
        url = url.rstrip("/")
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValidationError(f"{url} is no http:// or https:// address", code="bad_url")
        if token is None:
            token = _token(url, settings, own=own)
        if token and not insecure_plaintext and not own and is_readable_on_the_way(url):
            raise AuthError(
                f"{url} is not encrypted: whoever sits between could read the token",
                code="plaintext",
                hint="use the coordinator's https:// address, or say insecure_plaintext=True",
            )
        return cls(url, token, ca)


def settings_files(folder: Path | None = None) -> list[Path]:
    """The settings files that exist, weakest first, as the command line finds them."""
    paths = [
        Path("/etc/tidemill/config.toml"),
        _base("XDG_CONFIG_HOME", ".config") / "tidemill" / "config.toml",
    ]
    here = (folder or Path.cwd()).resolve()
    paths += [parent / "tidemill.toml" for parent in [*reversed(here.parents), here]]
    explicit = os.environ.get("TIDEMILL_CONFIG")
    found = [path for path in paths if path.is_file()]
    return [*found, Path(explicit)] if explicit else found


def workspace_texts(folder: Path) -> list[tuple[Path, str]]:
    """What the settings files say of names in pipelines, as TOML of those tables only: other settings stay here."""
    texts = []
    for path in settings_files(folder):
        table = _read_toml(path)
        relevant = {name: table[name] for name in WORKSPACE_KEYS if name in table}
        if relevant:
            texts.append((path, _toml(relevant)))
    return texts


def is_readable_on_the_way(url: str) -> bool:
    """Whether what is sent to this address is not encrypted and goes to another machine."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        return False
    host = parts.hostname or ""
    if host in ("", "localhost"):
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return True
    return not (address.is_loopback or address.is_unspecified)


def state_folder() -> Path:
    """Where the coordinator of this machine keeps its state."""
    given = os.environ.get("TIDEMILL_STATE_DIR") or _settings().get("state_dir")
    return Path(given) if given else _base("XDG_STATE_HOME", ".local/state") / "tidemill"


def _settings() -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in settings_files():
        merged.update(_read_toml(path))
    return merged


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
        if len(text) > FILE_BYTES_MAX:
            raise ValidationError(f"{path} is larger than 1 MiB: not a settings file", code="bad_settings")
        table: dict[str, Any] = tomllib.loads(text.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValidationError(f"cannot read settings from {path}: {error}", code="bad_settings") from error
    return table


def _token(url: str, settings: dict[str, Any], *, own: bool) -> str | None:
    file = os.environ.get("TIDEMILL_TOKEN_FILE") or settings.get("token_file")
    if own and not file:
        secret = state_folder() / "operator.token"
        if os.access(secret, os.R_OK) and secret.is_file():
            return secret.read_text().strip()
    if file:
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise AuthError(f"cannot read the token in {file}: {error}", code="bad_settings") from error
    given = os.environ.get("TIDEMILL_TOKEN", "").strip()
    return given or _login(url)


def _login(url: str) -> str | None:
    path = _base("XDG_CONFIG_HOME", ".config") / "tidemill" / "credentials.json"
    try:
        tokens = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AuthError(f"cannot read the tokens in {path}: {error}", code="bad_settings") from error
    found = tokens.get(url.rstrip("/").lower())
    return found if isinstance(found, str) else None


def _coordinator_here() -> str | None:
    """The address that the owner of this machine's state folder has written down, as long as it holds the lock."""
    try:
        with (state_folder() / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                note = json.loads(file.read(4096))
                url = note.get("url")
                return url if isinstance(url, str) else None
            fcntl.flock(file, fcntl.LOCK_UN)
    except (OSError, ValueError):
        return None
    return None


def _base(variable: str, below_home: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / below_home


def _toml(table: dict[str, Any]) -> str:
    lines = [f"{_key(name)} = {_value(value)}" for name, value in table.items()]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(name)} = {_value(inner)}" for name, inner in value.items())
        return "{" + pairs + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    if isinstance(value, (bool, int, float, str)):
        return json.dumps(value)
    return json.dumps(str(value))
