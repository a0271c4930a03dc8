"""Answers that come piece by piece."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_sdk import NotFound, Response, Route

PATH = "/api/plugins/x/do"


def serve(site, make: Any, method: Any = "GET") -> Any:
    return site.add("x", Route(method, "/do", lambda request: make(), access="open"))


def test_streams(site):
    published = serve(site, lambda: Response.stream([b"ab", bytearray(b"c"), b"", b"d"]))
    reply = site.get(PATH)
    assert (reply.status, reply.body) == (200, b"abcd")
    assert "content-length" not in reply.headers
    assert published.gate.inside == 0
    serve(site, lambda: Response.stream(iter([b"ab"]), "text/csv", length=2))
    assert site.get(PATH).headers["content-length"] == "2"
    serve(site, lambda: Response.stream(iter([])))
    assert site.get(PATH).body == b""


class Source:
    """A stream that notes what becomes of it."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.closed = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> bytes:
        if not self.steps:
            raise StopIteration
        step = self.steps.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    def close(self) -> None:
        self.closed += 1


def test_head_makes_no_stream_and_closes_it(site):
    source = Source(RuntimeError("never asked for"))
    published = serve(site, lambda: Response.stream(source, length=5))
    reply = site.ask("HEAD", PATH)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "5")
    assert source.closed
    assert published.gate.inside == 0
    assert site.records[-1].status == 200


@pytest.mark.parametrize("error", [RuntimeError("secret"), SystemExit(1)])
def test_a_stream_that_fails_at_once_is_a_proper_500(site, error):
    source = Source(error)
    published = serve(site, lambda: Response.stream(source, "text/csv"))
    reply = site.get(PATH)
    assert (reply.status, reply.headers["content-type"]) == (500, "application/json")
    assert source.closed
    assert (published.gate.inside, published.gate.failures) == (0, 1)


def test_a_stream_may_still_say_no_at_once(site):
    published = serve(site, lambda: Response.stream(Source(NotFound("gone"))))
    assert site.get(PATH).status == 404
    assert published.gate.failures == 0


@pytest.mark.parametrize("error", [RuntimeError("secret"), SystemExit(1), ValueError()])
def test_a_stream_that_fails_on_its_way_breaks_off(site, error):
    source = Source(b"a", error)
    published = serve(site, lambda: Response.stream(source))
    with pytest.raises(OSError, match="failed on its way"):
        site.get(PATH)
    assert source.closed
    assert (published.gate.inside, published.gate.failures) == (0, 1)
    record = site.log.records[0]
    assert (record.plugin, record.request) == ("x", site.records[-1].request_id)


def test_the_lease_is_held_until_the_body_is_closed(site):
    source = Source(b"a", b"b")
    published = serve(site, lambda: Response.stream(source))
    body = site.layer.gateway(site.environ("GET", PATH), lambda *_: lambda _data: None)
    assert published.gate.inside == 1
    assert site.records == []
    assert next(iter(body)) == b"a"
    body.close()
    body.close()
    assert published.gate.inside == 0
    assert source.closed == 1
    (record,) = site.records
    assert (record.status, record.plugin_id) == (200, "x")
    assert not published.gate.failures


def test_closing_that_fails_is_told_and_frees_the_lease(site):
    class Stubborn(Source):
        def close(self) -> None:
            raise RuntimeError("no")

    published = serve(site, lambda: Response.stream(Stubborn(b"a")))
    assert site.get(PATH).body == b"a"
    assert (published.gate.inside, published.gate.failures) == (0, 1)
