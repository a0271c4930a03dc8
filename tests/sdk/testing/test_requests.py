"""Requests, uploads and terminals for calling handlers."""

from __future__ import annotations

import pytest

from plugin_sdk import ANONYMOUS, Form, Invalid, MissingParameter
from plugin_sdk.testing import FakeCommandIO, FakeUpload, request, signed_in


def test_a_bare_request() -> None:
    bare = request()
    assert (bare.method, bare.path, bare.body, bare.form) == ("GET", "/", None, None)
    assert bare.principal is ANONYMOUS
    assert bare.read() == b""
    with pytest.raises(MissingParameter):
        bare.query["x"]


def test_a_query_has_values_and_their_texts() -> None:
    query = request(query={"q": "up", "limit": 5, "all": True, "tag": ["a", "b"]}).query
    assert (query["q"], query["limit"], query["all"], query["tag"]) == ("up", 5, True, ["a", "b"])
    assert query.raw == {"q": ["up"], "limit": ["5"], "all": ["true"], "tag": ["a", "b"]}


def test_a_body_is_json_and_can_be_read_raw() -> None:
    body = {"label": "é", "list": [1]}
    sent = request("POST", body=body)
    body["list"] = []
    assert sent.body == {"label": "é", "list": [1]}
    assert sent.json() == sent.body
    assert sent.read() == '{"label":"é","list":[1]}'.encode()
    assert request("POST", raw=b"\xff").read() == b"\xff"
    with pytest.raises(Invalid):
        request("POST", body=object())
    for falsy in (False, 0, "", [], {}):
        assert request("POST", body=falsy).json() == falsy


def test_the_rest_of_a_request() -> None:
    who = signed_in()
    sent = request(
        "PUT",
        "/sounds/7",
        params={"id": 7},
        headers={"If-Match": "x"},
        principal=who,
        token="t",
        peer="10.0.0.1",
    )
    assert sent.params == {"id": "7"}
    assert sent.headers["if-match"] == "x"
    assert (sent.principal, sent.token, sent.peer) == (who, "t", "10.0.0.1")


def test_an_upload() -> None:
    form = Form({"title": "Boo"}, [FakeUpload("file", b"RIFF", filename="../boo.wav")])
    upload = request("POST", form=form).form
    assert upload is form
    file = form.file("file")
    assert (file.filename, file.size, file.file.read()) == ("../boo.wav", 4, b"RIFF")
    file.file.seek(0)
    assert file.file.read(2) == b"RI"


def test_a_terminal() -> None:
    terminal = FakeCommandIO(stdin=b"in", answers=[True, False])
    assert terminal.interactive
    terminal.print("é")
    terminal.print()
    terminal.write(b"\xff")
    terminal.error("bad")
    assert terminal.written == "é\n\n".encode() + b"\xff"
    assert terminal.errors == "bad\n"
    assert terminal.stdin.read() == b"in"
    assert [terminal.confirm(question) for question in "abc"] == [True, False, False]
    assert terminal.questions == ["a", "b", "c"]
    quiet = FakeCommandIO()
    assert not quiet.interactive
    quiet.print("x")
    assert quiet.output == "x\n"
