"""Blobs of a plugin in local storage, as a client gets them from a real host."""

from __future__ import annotations

from plugin_sdk import Plugin, Request, Response, route
from plugin_sdk.testing.plugin import StartHost


class Cabinet(Plugin):
    """Keeps bytes under any key."""

    @route("PUT", "/blobs/{key:path}", access="open", consumes="*/*")
    def put(self, request: Request) -> None:
        self.context.blobs.put(request.params["key"], request.read(), "text/x-cabinet")

    @route("GET", "/blobs/{key:path}", access="open")
    def get(self, request: Request) -> Response:
        return Response.file(self.context.blobs.get(request.params["key"]))


PATH = "/api/plugins/cabinet/blobs/"


def test_blobs_are_served_whole_and_in_part(stagebox: StartHost) -> None:
    host = stagebox(Cabinet)
    content = bytes(range(256)) * 2000
    assert host.put(PATH + "a/b", content=content).status == 204
    whole = host.get(PATH + "a/b")
    assert (whole.status, whole.content) == (200, content)
    assert whole.headers["content-type"] == "text/x-cabinet"
    etag = whole.headers["etag"]
    for given, expected in (
        ("bytes=0-0", content[:1]),
        ("bytes=1000-299999", content[1000:300_000]),
        ("bytes=511000-", content[511_000:]),
        ("bytes=-7", content[-7:]),
    ):
        part = host.get(PATH + "a/b", headers={"Range": given})
        assert (part.status, part.content) == (206, expected)
    assert host.get(PATH + "a/b", headers={"If-None-Match": etag}).status == 304
    assert host.get(PATH + "a").status == 404


def test_blobs_survive_a_restart(stagebox: StartHost) -> None:
    host = stagebox(Cabinet)
    assert host.put(PATH + "k", content=b"kept").status == 204
    host.restart()
    assert host.get(PATH + "k").content == b"kept"
    etag = host.get(PATH + "k").headers["etag"]
    assert host.put(PATH + "k", content=b"new").status == 204
    answer = host.get(PATH + "k", headers={"If-None-Match": etag})
    assert (answer.status, answer.content) == (200, b"new")
