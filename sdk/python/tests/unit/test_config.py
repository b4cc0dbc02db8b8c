from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from tidemill._config import Config, workspace_texts
from tidemill.errors import AuthError, ValidationError


def settings(text: str) -> None:
    folder = Path.home() / ".config/tidemill"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


def test_an_argument_beats_the_environment_and_that_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    settings('url = "http://127.0.0.3"\n')
    assert Config.resolve().url == "http://127.0.0.3"
    monkeypatch.setenv("TIDEMILL_URL", "http://127.0.0.2/")
    assert Config.resolve().url == "http://127.0.0.2"
    assert Config.resolve("http://127.0.0.1:7").url == "http://127.0.0.1:7"


def test_the_token_of_a_login_is_for_its_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings("")
    (Path.home() / ".config/tidemill/credentials.json").write_text(json.dumps({"https://a.example": "tmk_login"}))
    assert Config.resolve("https://A.example/").token == "tmk_login"
    assert Config.resolve("https://b.example").token is None
    monkeypatch.setenv("TIDEMILL_TOKEN", " tmk_variable\n")
    assert Config.resolve("https://b.example").token == "tmk_variable"
    assert Config.resolve("https://b.example", "tmk_argument").token == "tmk_argument"


def test_a_token_does_not_travel_in_the_clear_to_another_machine() -> None:
    for url in ("http://example.org", "http://10.0.0.1:7470", "http://[2001:db8::1]"):
        with pytest.raises(AuthError, match="not encrypted"):
            Config.resolve(url, "tmk_x")
        assert Config.resolve(url, "tmk_x", insecure_plaintext=True).token == "tmk_x"
    for url in ("https://example.org", "http://localhost:1", "http://127.0.0.1", "http://[::1]:7"):
        assert Config.resolve(url, "tmk_x").token == "tmk_x"


def test_without_any_word_of_it_the_coordinator_of_this_machine_is_meant() -> None:
    with pytest.raises(ValidationError, match="none runs on this machine"):
        Config.resolve()
    state = Path.home() / ".local/state/tidemill"
    state.mkdir(parents=True)
    (state / "operator.token").write_text("tmk_operator\n")
    with (state / "lock").open("w+") as lock:
        lock.write(json.dumps({"pid": 1, "verb": "up", "url": "http://127.0.0.1:9"}))
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = Config.resolve()
        assert (found.url, found.token) == ("http://127.0.0.1:9", "tmk_operator")
    with pytest.raises(ValidationError):
        Config.resolve()


def test_of_the_settings_only_the_meaning_of_names_leaves_this_machine(tmp_path: Path) -> None:
    settings('url = "http://127.0.0.1"\n[computes]\ngpu = "gpu-a"\n')
    text = 'broker = "amqp://user:secret@host"\ndefault_compute = "cpu"\n'
    text += '[environments."x y"]\npython = "3.11"\nrequirements = ["a<3", "b"]\n[data]\nrows = {path = "rows.csv", type = "uri_file"}\n'
    (tmp_path / "tidemill.toml").write_text(text)
    texts = dict(workspace_texts(tmp_path))
    assert texts[Path.home() / ".config/tidemill/config.toml"] == 'computes = {gpu = "gpu-a"}\n'
    mine = texts[tmp_path / "tidemill.toml"]
    assert "secret" not in mine
    assert 'environments = {"x y" = {python = "3.11", requirements = ["a<3", "b"]}}' in mine
    assert 'data = {rows = {path = "rows.csv", type = "uri_file"}}' in mine


def test_settings_that_cannot_be_read_are_named() -> None:
    settings("url = ")
    with pytest.raises(ValidationError, match=r"config\.toml"):
        Config.resolve("http://127.0.0.1")
