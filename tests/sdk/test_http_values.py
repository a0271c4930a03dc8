"""Requests and responses are plain values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_sdk import (
    FileBody,
    Form,
    Headers,
    Invalid,
    MissingParameter,
    Query,
    Request,
    Response,
    StreamBody,
    TextBody,
)
from plugin_sdk.testing import FakeUpload


@given(st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,9}", fullmatch=True), st.text()))
def test_headers_are_found_in_any_case(values: dict[str, str]) -> None:
    headers = Headers(values)
    for name, value in {name.lower(): value for name, value in values.items()}.items():
        assert headers[name] == headers[name.upper()] == headers[name.title()] == value
        assert name.upper() in headers
    assert list(headers) == list(dict.fromkeys(name.lower() for name in values))
    assert len(headers) == len({name.lower() for name in values})


def test_a_header_that_was_not_sent() -> None:
    assert "X-Missing" not in Headers({})
    assert Headers().get("X-Missing") is None
    with pytest.raises(KeyError):
        Headers()["X-Missing"]


def test_a_query_gives_the_first_occurrence_as_text() -> None:
    query = Query({"tag": ["a", "b"], "q": [""]})
    assert query["tag"] == "a"
    assert query["q"] == ""
    assert query.all("tag") == ("a", "b")
    assert query.all("none") == ()
    assert list(query) == ["tag", "q"]
    assert len(query) == 2


def test_a_query_gives_what_a_schema_made_of_it() -> None:
    query = Query({"limit": ["5"]}, {"limit": 5, "page": 1})
    assert (query["limit"], query["page"]) == (5, 1)
    assert query.all("limit") == ("5",)
    assert query.raw == {"limit": ["5"]}


def test_a_missing_parameter_is_an_answer() -> None:
    query = Query({})
    with pytest.raises(MissingParameter) as caught:
        query["serverId"]
    assert caught.value.status == 400
    assert "serverId" not in query
    assert query.get("serverId", "x") == "x"


def test_a_form_gives_the_only_file_of_a_name() -> None:
    one, two = FakeUpload("file", b"1"), FakeUpload("other", b"2")
    form = Form({"title": "Boo"}, [one, two])
    assert form.file("file") is one
    for files in ([], [one, FakeUpload("file", b"3")]):
        with pytest.raises(Invalid, match='exactly one file part named "file"'):
            Form(files=files).file("file")


def test_a_request_is_frozen_and_equal_to_itself_alone() -> None:
    request = Request()
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.path = "/x"  # type: ignore[misc]
    assert request != Request()
    assert len({request, Request()}) == 2


def test_a_request_does_not_show_its_token() -> None:
    assert "secret" not in repr(Request(token="secret", read=lambda: b"secret"))


def test_the_raw_body_is_read_as_strict_json() -> None:
    assert Request(read=lambda: b'{"a": 1}').json() == {"a": 1}
    for body in (b"", b"{", b"NaN", b"\xff"):
        with pytest.raises(Invalid):
            Request(read=lambda body=body: body).json()


def test_a_key_that_occurs_twice_may_be_refused() -> None:
    request = Request(read=lambda: b'{"a": 1, "a": 2}')
    assert request.json() == {"a": 2}
    with pytest.raises(Invalid, match='"a" occurs twice'):
        request.json(unique_keys=True)


@pytest.mark.parametrize(
    ("peer", "here"),
    [
        *((each, True) for each in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")),
        *((each, False) for each in ("10.0.0.1", "::2", "::ffff:10.0.0.1", "128.0.0.1", "")),
    ],
)
def test_who_sits_at_this_machine(peer: str, here: bool) -> None:
    assert Request(peer=peer).loopback is here


def test_plain_answers() -> None:
    assert Response({"a": 1}) == Response({"a": 1}, 200, {}, "application/json")
    assert Response.created({"id": 1}) == Response({"id": 1}, 201)
    assert Response.created(location="/sounds/1").headers == {"Location": "/sounds/1"}
    assert Response.empty() == Response(TextBody(b""), 204, {}, "")
    assert Response.empty(202).status == 202


def test_answers_that_are_text_already() -> None:
    assert Response.json_text('{"é": 1}').body == TextBody('{"é": 1}'.encode())
    assert Response.json_text(b"[]").content_type == "application/json"
    assert Response.text("é").body == TextBody("é".encode())
    assert Response.text("é").content_type == "text/plain; charset=utf-8"
    assert Response.html("<p>").content_type == "text/html; charset=utf-8"
    assert Response.data(b"\0").content_type == "application/octet-stream"


def test_answers_that_are_files_and_streams() -> None:
    answer = Response.file(Path("a.ogg"), filename="é.ogg", attachment=True, etag="v1")
    assert answer.body == FileBody(Path("a.ogg"), "é.ogg", True, "v1")
    assert answer.content_type == ""
    chunks = [b"a", b"b"]
    assert Response.stream(chunks, "text/csv", 2).body == StreamBody(chunks, 2)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_redirect_is_a_header_that_can_be_sent(location: str) -> None:
    sent = Response.redirect("/" + location).headers["Location"]
    assert Response.created(location="/" + location).headers["Location"] == sent
    assert sent.isascii()
    assert sent.isprintable()
    assert " " not in sent


def test_a_redirect_keeps_what_is_an_address_already() -> None:
    address = "https://example.org/a%20b?c=d&e=f#g"
    answer = Response.redirect(address)
    assert (answer.status, answer.headers) == (303, {"Location": address})


def test_more_headers_make_a_copy() -> None:
    first = Response({"a": 1}, headers={"X-A": "1"})
    second = first.with_headers(Cache_Control="no-store", X_A="2")
    assert first.headers == {"X-A": "1"}
    assert second.headers == {"X-A": "2", "Cache-Control": "no-store"}
    assert second.body == first.body
