from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import Fake, answer
from tidemill import Client, ValidationError

LOADED = {"needs": [], "spec": {"name": "p"}, "parameters": {}, "warnings": []}


def view(revision: int = 1, **draft: Any) -> dict[str, Any]:
    return {"name": "tuning", "created_by": "ada", "revision": revision, "draft": {"pipeline": {}, **draft}}


def client_of(fake: Fake) -> Client:
    return Client("http://127.0.0.1:1", "tmk_x", transport=fake)


def test_a_draft_is_made_changed_submitted_published_and_removed(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text("type: pipeline\n")
    fake = Fake().on("POST", "/api/v1/pipelines/load", answer(LOADED))
    fake.on("PUT", "/api/v1/drafts/tuning", answer(view(parameters={"trees": "12"})))
    fake.on("PATCH", "/api/v1/drafts/tuning", answer(view(2, tags={"a": "b"})))
    fake.on("POST", "/api/v1/drafts/tuning/runs", answer({"id": "r1", "status": "queued", "pipeline": "p"}, 201))
    fake.on("POST", "/api/v1/drafts/tuning/publish", answer({"name": "train", "version": "3"}, 201))
    fake.on("DELETE", "/api/v1/drafts/tuning", answer(None, 204))
    draft = client_of(fake).drafts.create("tuning", tmp_path / "p.yml", parameters={"trees": 12})
    put = fake.requests[-1]
    assert put.headers["if-none-match"] == "*"
    assert put.json == {"parameters": {"trees": "12"}, "tags": {}, "source": {"pipeline": {"name": "p"}}}
    assert (draft.parameters, draft.owner) == ({"trees": "12"}, "ada")
    draft.edit(parameters={"trees": None, "depth": 3}, tags={"a": "b"})
    patch = fake.requests[-1]
    assert patch.headers["if-match"] == '"1"'
    assert patch.json == {"parameters": {"trees": None, "depth": "3"}, "tags": {"a": "b"}}
    assert draft.submit({"depth": 4}, project="churn", tags={"a": "c"}).id == "r1"
    sent = fake.requests[-1].json
    assert (sent["parameters"], sent["project"], sent["tags"]) == ({"depth": "4"}, "churn", {"a": "c"})
    assert sent["idempotency_key"]
    assert draft.publish("train", labels=["default"])["version"] == "3"
    assert fake.requests[-1].json == {"name": "train", "labels": ["default"]}
    draft.remove()


def test_a_draft_is_made_of_one_thing() -> None:
    fake = Fake().on("PUT", "/api/v1/drafts/next", answer({**view(), "name": "next"}))
    client_of(fake).drafts.create("next", published="train", version="3")
    assert fake.requests[-1].json["source"] == {"published": {"name": "train", "version": "3"}}
    client_of(fake).drafts.create("next", run="last", replace=True)
    assert fake.requests[-1].json["source"] == {"run": {"run": "last"}}
    assert "if-none-match" not in fake.requests[-1].headers
    with pytest.raises(ValidationError):
        client_of(fake).drafts.create("x")
    with pytest.raises(ValidationError):
        client_of(fake).drafts.create("x", run="last", published="train")
