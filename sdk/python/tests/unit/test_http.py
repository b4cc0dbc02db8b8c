from __future__ import annotations

import io

import pytest

from tests.fakes import Fake, answer, http_of
from tidemill import errors
from tidemill._http import part

REFUSAL = {"code": "invalid_pipeline", "message": "the pipeline is not valid", "hint": "look again", "request_id": "r1"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.ValidationError),
        (401, errors.AuthError),
        (403, errors.AuthError),
        (404, errors.NotFoundError),
        (409, errors.ConflictError),
        (412, errors.ConflictError),
        (413, errors.ValidationError),
        (422, errors.ValidationError),
        (500, errors.UnavailableError),
        (418, errors.TidemillError),
    ],
)
def test_a_refusal_becomes_the_error_that_its_status_means(status: int, kind: type[errors.TidemillError]) -> None:
    problems = [
        {"code": "TM0101", "severity": "error", "message": "no such key", "file": "p.yml", "line": 3, "column": 5}
    ]
    fake = Fake().on("GET", "/x", answer({**REFUSAL, "problems": problems}, status))
    with pytest.raises(errors.TidemillError) as raised:
        http_of(fake).json("GET", "/x")
    assert type(raised.value) is kind
    assert (raised.value.code, raised.value.hint, raised.value.request_id) == ("invalid_pipeline", "look again", "r1")
    assert "p.yml:3:5: error[TM0101]: no such key" in str(raised.value)
    assert len(fake.requests) == 1, "what was refused is not asked again"


def test_an_answer_that_is_no_json_is_an_error_with_its_status() -> None:
    fake = Fake().on("GET", "/x", answer(b"<html>", 404, x_request_id="r9"))
    with pytest.raises(errors.NotFoundError, match="404") as raised:
        http_of(fake).json("GET", "/x")
    assert raised.value.request_id == "r9"


def test_what_is_harmless_to_repeat_is_asked_again(pauses: list[float]) -> None:
    gone = errors.UnavailableError("nobody answers")
    fake = Fake().on("GET", "/x", gone, answer(status=502), answer(status=503, retry_after="7"), answer({"a": 1}))
    assert http_of(fake).json("GET", "/x") == {"a": 1}
    assert len(fake.requests) == 4
    assert pauses[2] >= 7, "the server says when to come back"


def test_what_makes_something_is_sent_again_under_its_own_key(pauses: list[float]) -> None:
    gone = errors.UnavailableError("the answer broke off")
    unknown = answer(status=503, tidemill_outcome="unknown")
    fake = Fake().on("POST", "/x", gone, unknown, answer({"id": "a"}), answer({"id": "b"}))
    http = http_of(fake)
    assert http.json("POST", "/x", body={}, once=True) == {"id": "a"}
    assert http.json("POST", "/x", body={}, once=True) == {"id": "b"}
    keys = [sent.headers["idempotency-key"] for sent in fake.requests]
    assert len(pauses) == 2
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_only_what_was_seen_is_changed(pauses: list[float]) -> None:
    changed = answer({"code": "precondition_failed", "message": "it changed"}, 412)
    fake = Fake().on("GET", "/x", answer({}, etag='"7"')).on("PUT", "/x", answer({}), changed)
    http = http_of(fake)
    seen = http.etag("/x")
    http.json("PUT", "/x", body={}, if_match=seen)
    with pytest.raises(errors.ConflictError):
        http.json("PUT", "/x", body={}, if_match=seen)
    assert [sent.headers.get("if-match") for sent in fake.requests] == [None, '"7"', '"7"']


def test_what_may_have_had_its_effect_is_not_sent_twice(pauses: list[float]) -> None:
    fake = Fake().on("POST", "/x", errors.UnavailableError("nobody answers"), answer({}))
    with pytest.raises(errors.UnavailableError):
        http_of(fake).json("POST", "/x", body={})
    assert len(fake.requests) == 1
    assert pauses == []


def test_for_want_of_room_everything_is_sent_again(pauses: list[float]) -> None:
    fake = Fake().on("POST", "/x", answer(status=503), answer(status=429), answer({"a": 1}))
    assert http_of(fake).json("POST", "/x", body={}) == {"a": 1}


def test_what_was_given_up_under_way_is_sent_again_only_where_that_is_harmless(pauses: list[float]) -> None:
    given_up = answer(REFUSAL, 503, retry_after="2", tidemill_outcome="unknown")
    fake = Fake().on("POST", "/x", given_up, answer({"a": 1}))
    with pytest.raises(errors.TidemillError, match="look again"):
        http_of(fake).json("POST", "/x", body={})
    assert len(fake.requests) == 1
    again = Fake().on("POST", "/x", given_up, answer({"a": 1}))
    assert http_of(again).json("POST", "/x", body={}, repeatable=True) == {"a": 1}


def test_nobody_asks_for_ever(pauses: list[float]) -> None:
    fake = Fake().on("GET", "/x", errors.UnavailableError("nobody answers"))
    with pytest.raises(errors.UnavailableError):
        http_of(fake).json("GET", "/x")
    assert len(fake.requests) == 5


def test_a_file_is_sent_from_its_start_each_time(pauses: list[float]) -> None:
    file = io.BytesIO(b"....bytes")
    file.seek(4)
    fake = Fake().on("PUT", "/x", answer(status=503), answer({}))
    http_of(fake).open("PUT", "/x", body=file).close()
    assert [request.body for request in fake.requests] == [b"bytes", b"bytes"]


def test_a_token_is_shown_and_segments_are_escaped() -> None:
    fake = Fake().on("GET", "/runs/a%2F..%3F", answer({}))
    http_of(fake, "tmk_x").json("GET", f"/runs/{part('a/..?')}", query={"follow": True, "none": None, "n": 3})
    assert fake.requests[0].headers["authorization"] == "Bearer tmk_x"
    assert fake.requests[0].path == "/runs/a%2F..%3F?follow=true&n=3"


def test_pages_are_read_as_they_are_needed() -> None:
    fake = Fake().on("GET", "/x", answer({"items": [1, 2], "next_cursor": "c"}), answer({"items": [3]}))
    items = http_of(fake).pages("/x", {"status": "failed"})
    assert next(items) == 1
    assert len(fake.requests) == 1
    assert list(items) == [2, 3]
    assert fake.requests[1].path == "/x?status=failed&limit=200&cursor=c"
