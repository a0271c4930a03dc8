"""The outbound client without a network."""

from __future__ import annotations

import pytest

from plugin_sdk import Forbidden, HttpReply, Invalid, UpstreamFailed
from plugin_sdk.testing import FakeHttp, HttpRequest

URL = "https://films.example/search"


@pytest.fixture
def http() -> FakeHttp:
    return FakeHttp(private=False)


def test_an_answer_that_was_laid_out(http: FakeHttp) -> None:
    http.answer("GET", URL, HttpReply(200, {"X-Key": "V"}, b"hello"))
    reply = http.request("GET", URL)
    assert (reply.status, reply.content, reply.url) == (200, b"hello", URL)
    assert reply.headers == {"x-key": "V"}
    assert reply.ok


def test_what_was_sent_is_recorded(http: FakeHttp) -> None:
    http.answer_json("POST", URL, {"ok": True}, status=201)
    reply = http.request(
        "post", URL, headers={"Authorization": "Bearer k"}, query={"q": "up & down"}, json=["é"]
    )
    assert (reply.status, reply.json()) == (201, {"ok": True})
    [sent] = http.requests
    assert (sent.method, sent.url) == ("POST", URL + "?q=up+%26+down")
    assert sent.query == {"q": "up & down"}
    assert sent.headers == {"authorization": "Bearer k", "content-type": "application/json"}
    assert sent.content == '["é"]'.encode()
    assert sent.json() == ["é"]


def test_what_has_no_answer_fails_and_says_so(http: FakeHttp) -> None:
    http.answer_json("GET", URL, [])
    with pytest.raises(UpstreamFailed, match=r"GET https://films\.example/other\?a=1") as caught:
        http.request("GET", "https://films.example/other", query={"a": "1"})
    assert f"there are: GET {URL}" in caught.value.message
    with pytest.raises(UpstreamFailed):
        http.request("POST", URL)
    assert [sent.method for sent in http.requests] == ["GET", "POST"]


def test_an_answer_with_a_query_counts_for_that_alone(http: FakeHttp) -> None:
    http.answer_json("GET", URL + "?q=up", ["up"])
    http.answer_json("GET", URL, [])
    assert http.request("GET", URL, query={"q": "up"}).json() == ["up"]
    assert http.request("GET", URL + "?q=up").json() == ["up"]
    assert http.request("GET", URL, query={"q": "down"}).json() == []
    assert http.request("GET", URL).json() == []


def test_several_answers_come_in_order(http: FakeHttp) -> None:
    http.answer("GET", URL, UpstreamFailed("timed out"))
    http.answer_json("GET", URL, 1)
    http.answer_json("GET", URL, 2)
    with pytest.raises(UpstreamFailed, match="timed out"):
        http.request("GET", URL)
    assert [http.request("GET", URL).json() for _ in range(3)] == [1, 2, 2]


def test_an_answer_may_be_a_function(http: FakeHttp) -> None:
    def echo(request: HttpRequest) -> HttpReply:
        return HttpReply(200, {}, request.content)

    http.answer("PUT", URL, echo)
    assert http.request("PUT", URL, content=b"abc").content == b"abc"


@pytest.mark.parametrize("url", ["", "films.example", "ftp://films.example/", "http://", "/a"])
def test_what_is_no_url(http: FakeHttp, url: str) -> None:
    with pytest.raises(Invalid):
        http.request("GET", url)
    assert http.requests == []


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "10.1.2.3", "192.168.0.1", "[::1]", "169.254.1.1", "a.localhost"],
)
def test_private_addresses_need_a_capability(host: str) -> None:
    url = f"http://{host}/"
    with pytest.raises(Forbidden, match=r"http\.private"):
        FakeHttp(private=False).request("GET", url)
    http = FakeHttp(private=True)
    http.answer_json("GET", url, 1)
    assert http.request("GET", url).json() == 1
    with pytest.raises(Forbidden, match="private=False"):
        http.request("GET", url, private=False)


def test_answers_that_are_too_large(http: FakeHttp) -> None:
    http.answer("GET", URL, HttpReply(200, {}, b"x" * 100))
    assert http.request("GET", URL, max_bytes=100).ok
    with pytest.raises(UpstreamFailed, match="larger than 99"):
        http.request("GET", URL, max_bytes=99)


def test_redirects_are_followed_only_if_asked_for_and_at_home(http: FakeHttp) -> None:
    http.answer("POST", URL, HttpReply(303, {"Location": "/found"}, b""))
    http.answer_json("GET", "https://films.example/found", "here")
    assert http.request("POST", URL, content=b"x").status == 303
    assert http.request("POST", URL, content=b"x", redirects=1).json() == "here"
    assert (http.requests[-1].method, http.requests[-1].content) == ("GET", b"")
    http.answer("GET", URL, HttpReply(302, {"Location": "https://elsewhere.example/"}, b""))
    assert http.request("GET", URL, redirects=5).status == 302


def test_redirects_end(http: FakeHttp) -> None:
    http.answer("GET", URL, HttpReply(302, {"Location": URL}, b""))
    assert http.request("GET", URL, redirects=3).status == 302
    assert len(http.requests) == 4


def test_streams(http: FakeHttp) -> None:
    content = bytes(range(256)) * 1000
    http.answer("GET", URL, HttpReply(200, {"Content-Type": "a/b"}, content))
    with http.stream("GET", URL) as stream:
        assert (stream.status, stream.headers) == (200, {"content-type": "a/b"})
        chunks = list(stream.chunks())
    assert len(chunks) > 1
    assert b"".join(chunks) == content
    with http.stream("GET", URL, max_bytes=100_000) as stream:
        pieces = stream.chunks()
        assert next(pieces)
        with pytest.raises(UpstreamFailed, match="larger than 100000"):
            list(pieces)
