"""Files, blobs and streams as answers."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from host.plugins.gate import Slots
from host.web.content_types import content_type_of
from host.web.files import content_disposition
from plugin_sdk import BlobInfo, NotFound, Response, Route

from .conftest import CONTENT, PATH, serve


class MemoryBlob:
    """A blob; ``seekable`` as those of a local provider are."""

    def __init__(self, content: bytes, *, seekable: bool, shorter: int = 0) -> None:
        self.content = content
        self.info = BlobInfo("k", len(content), "e-1", 784_111_777.0, "audio/ogg")
        self.streams: list[BinaryIO] = []
        self.opened: list[tuple[int, int | None]] = []
        self._seekable = seekable
        self.address: str | None = None
        self._shorter = shorter

    def url(self, expires: int = 300) -> str | None:
        return self.address and f"{self.address}?for={expires}"

    def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
        self.opened.append((start, length))
        stop = len(self.content) if length is None else start + length
        kind = io.BytesIO if self._seekable else Pipe
        stream = kind(self.content[start : stop - self._shorter])
        self.streams.append(stream)
        return stream


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


def test_a_whole_file(site, film):
    published = serve(site, lambda: Response.file(film))
    reply = site.get(PATH)
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["content-type"] == "video/mp4"
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["last-modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert reply.headers["etag"].startswith('"')
    assert "content-disposition" not in reply.headers
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert (published.gate.inside, published.gate.failures) == (0, 0)


def is_open(path: Path) -> bool:
    """Whether this process has that file open, where the system tells."""
    folder = Path("/proc/self/fd")
    for each in list(folder.iterdir()) if folder.exists() else []:
        try:
            if each.readlink() == path.resolve():
                return True
        except OSError:  # that of the listing, or another thread's
            continue
    return False


def test_head_and_304_send_nothing_and_keep_nothing_open(site, film):
    published = serve(site, lambda: Response.file(film, headers={"Cache-Control": "no-cache"}))
    got, head = site.get(PATH), site.ask("HEAD", PATH, Range="bytes=0-1")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(CONTENT))
    assert {n: v for n, v in got.headers.items() if n != "x-request-id"} == {
        n: v for n, v in head.headers.items() if n != "x-request-id"
    }
    for method in ("GET", "HEAD"):
        reply = site.ask(method, PATH, If_None_Match=got.headers["etag"], Range="bytes=0-1")
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["etag"] == got.headers["etag"]
        assert reply.headers["cache-control"] == "no-cache"
        assert "content-length" not in reply.headers
        assert "content-type" not in reply.headers
    assert published.gate.inside == 0
    assert not is_open(film)


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=-10", 10230, 10240), ("bytes=10000-", 10000, 10240)],
)
def test_parts_of_a_file(site, film, header, start, stop):
    serve(site, lambda: Response.file(film, filename="film.mp4"))
    reply = site.get(PATH, Range=header)
    assert (reply.status, reply.body) == (206, CONTENT[start:stop])
    assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/10240"
    assert reply.headers["content-length"] == str(stop - start)
    tag = reply.headers["etag"]
    assert site.get(PATH, Range=header, If_Range=tag).status == 206
    assert site.get(PATH, Range=header, If_Range='"x"').body == CONTENT


def test_a_range_beyond_the_end(site, film):
    answer = Response.file(film, filename="a", headers={"Cache-Control": "max-age=9"})
    published = serve(site, lambda: answer)
    reply = site.get(PATH, Range="bytes=10240-")
    assert (reply.status, reply.json["error"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert reply.headers["content-range"] == "bytes */10240"
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert "content-disposition" not in reply.headers
    assert (published.gate.failures, published.gate.inside) == (0, 0)


def test_a_part_of_another_content_than_the_one_begun_is_refused(site, film):
    serve(site, lambda: Response.file(film))
    reply = site.get(PATH, Range="bytes=5-9", If_Match='"older"')
    assert (reply.status, reply.json["error"]) == (412, "PRECONDITION_FAILED")
    tag = site.get(PATH).headers["etag"]
    assert site.get(PATH, Range="bytes=5-9", If_Match=tag).body == CONTENT[5:10]


def test_an_empty_file(site, tmp_path):
    (tmp_path / "empty.txt").touch()
    serve(site, lambda: Response.file(tmp_path / "empty.txt"))
    reply = site.get(PATH)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")
    assert site.get(PATH, Range="bytes=0-").status == 416


def test_only_get_and_head_know_ranges(site, film):
    serve(site, lambda: Response.file(film), "POST")
    reply = site.post(PATH, Range="bytes=0-1", If_None_Match="*")
    assert (reply.status, reply.body) == (200, CONTENT)


def test_the_tag_follows_size_and_time(site, film):
    serve(site, lambda: Response.file(film))
    tags = {site.get(PATH).headers["etag"]}
    os.utime(film, ns=(1, 784_111_777_000_000_002))
    tags.add(site.get(PATH).headers["etag"])
    film.write_bytes(b"x")
    os.utime(film, ns=(1, 784_111_777_000_000_002))
    tags.add(site.get(PATH).headers["etag"])
    assert len(tags) == 3


def test_an_own_tag_and_type(site, film):
    serve(site, lambda: Response.file(film, etag="sha-1", content_type="text/css; charset=utf-8"))
    reply = site.get(PATH)
    assert reply.headers["etag"] == '"sha-1"'
    assert reply.headers["content-type"] == "text/css; charset=utf-8"
    for bad in ('a"b', "a b", "ü", "a\r\nb"):
        serve(site, lambda bad=bad: Response.file(film, etag=bad))
        assert site.get(PATH).status == 500


def test_slow_clients_of_files_do_not_use_up_the_plugins_calls(make_site, film):
    site = make_site(slots=Slots(4, 2, 1))
    published = serve(site, lambda: Response.file(film))
    site.add("y", Route("GET", "/do", lambda r: {}, access="open"))
    bodies = [
        site.layer.gateway(site.environ("GET", PATH), lambda *_: lambda _data: None)
        for _ in range(10)
    ]
    assert published.gate.inside == 10
    assert site.slots.used == 0
    assert site.get(PATH).status == 200
    assert not published.gate.wait_idle(0)  # draining waits for the last byte
    for body in bodies:
        body.close()
    assert published.gate.wait_idle(0)
    assert (published.gate.inside, site.slots.used) == (0, 0)


def test_a_file_that_is_asked_for_while_the_plugin_goes(site, film):
    def closing() -> Response:
        published.gate.close()
        return Response.file(film)

    published = serve(site, closing)
    assert site.get(PATH).body == CONTENT
    assert (published.gate.inside, site.slots.used) == (0, 0)


def test_what_is_no_file_is_404(site, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dir.mp4").mkdir()
    names = ["gone.mp4", "dir.mp4", "pipe", "gone/below", "nul\0l", "x" * 300]
    for name in names:
        published = serve(site, lambda name=name: Response.file(tmp_path / name))
        reply = site.get(PATH)
        assert (reply.status, reply.json["error"]) == (404, "NOT_FOUND"), name
        assert (published.gate.failures, published.gate.inside) == (0, 0)
        assert site.ask("HEAD", PATH).status == 404


def test_other_faults_of_the_disk_are_failures(site, film, monkeypatch):
    published = serve(site, lambda: Response.file(film))

    def broken(*_args: Any) -> int:
        raise OSError(errno.EIO, "secret/path")

    monkeypatch.setattr(os, "open", broken)
    reply = site.get(PATH)
    monkeypatch.undo()
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert published.gate.failures == 1


@pytest.mark.parametrize("seekable", [True, False])
def test_blobs(site, seekable):
    blob = MemoryBlob(CONTENT, seekable=seekable)
    published = serve(site, lambda: Response.file(blob, filename="song.ogg"))
    reply = site.get(PATH)
    assert (reply.status, reply.body) == (200, CONTENT)
    assert reply.headers["content-type"] == "audio/ogg"
    assert reply.headers["etag"] == '"e-1"'
    assert reply.headers["last-modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    part = site.get(PATH, Range="bytes=10000-10099")
    assert (part.status, part.body) == (206, CONTENT[10000:10100])
    assert blob.opened == [(0, len(CONTENT)), (10000, 100)]
    site.ask("HEAD", PATH)
    site.get(PATH, If_None_Match='"e-1"')
    assert len(blob.opened) == 2  # nobody looks at bytes that are not sent
    assert all(stream.closed for stream in blob.streams)
    assert published.gate.inside == 0


@pytest.mark.parametrize("seekable", [True, False])
def test_a_blob_that_ends_early_breaks_off(site, seekable):
    blob = MemoryBlob(CONTENT, seekable=seekable, shorter=5)
    published = serve(site, lambda: Response.file(blob))
    with pytest.raises(OSError):  # noqa: PT011  # the server closes the connection
        site.get(PATH)
    assert published.gate.inside == 0
    assert all(stream.closed for stream in blob.streams)


def test_a_blob_that_vanished(site):
    class Gone(MemoryBlob):
        def open(self, start: int = 0, length: int | None = None) -> BinaryIO:
            raise NotFound("The blob is gone.")

    serve(site, lambda: Response.file(Gone(b"x", seekable=True)))
    assert site.get(PATH).status == 404


def test_pages_from_files_get_the_policy(site, tmp_path):
    (tmp_path / "page.html").write_text("<p>")
    serve(site, lambda: Response.file(tmp_path / "page.html"))
    assert "default-src 'self'" in site.get(PATH).headers["content-security-policy"]
    own = {"Content-Security-Policy": "sandbox allow-scripts allow-forms"}
    serve(site, lambda: Response.file(tmp_path / "page.html", headers=own))
    assert site.get(PATH).headers["content-security-policy"] == own["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "attachment", "expected"),
    [
        (None, False, None),
        (None, True, "attachment"),
        ("a.mp4", False, "inline; filename=\"a.mp4\"; filename*=UTF-8''a.mp4"),
        ("a b.mp4", True, "attachment; filename=\"a b.mp4\"; filename*=UTF-8''a%20b.mp4"),
        ("Ämélie – S01E02.mkv", False, "inline; filename=\"_m_lie _ S01E02.mkv\"; "
         "filename*=UTF-8''%C3%84m%C3%A9lie%20%E2%80%93%20S01E02.mkv"),
        ('a"b\\c/d', False, "inline; filename=\"a_b_c_d\"; filename*=UTF-8''a%22b%5Cc%2Fd"),
        ("a\r\nX: y", False, "inline; filename=\"a__X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
        ("\ud800", False, "inline; filename=\"_\"; filename*=UTF-8''%3F"),
        ("a'b(c)*", False, "inline; filename=\"a'b(c)*\"; filename*=UTF-8''a%27b%28c%29%2A"),
    ],
)  # fmt: skip
def test_content_disposition(name, attachment, expected):
    assert content_disposition(name, attachment=attachment) == expected


def test_a_handlers_own_disposition_stands(site, film):
    own = {"Content-Disposition": "attachment; filename=mine"}
    serve(site, lambda: Response.file(film, filename="x", headers=own))
    assert site.get(PATH).headers["content-disposition"] == "attachment; filename=mine"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.js", "text/javascript; charset=utf-8"), ("a.MJS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"), ("a.html", "text/html; charset=utf-8"),
        ("a.json", "application/json"), ("a.map", "application/json"), ("a.svg", "image/svg+xml"),
        ("a.png", "image/png"), ("a.jpeg", "image/jpeg"), ("a.ico", "image/x-icon"),
        ("a.wasm", "application/wasm"), ("a.woff2", "font/woff2"),
        ("a.vue", "text/plain; charset=utf-8"), ("a.ogg", "audio/ogg"),
        ("a.mkv", "video/x-matroska"),
        ("a.m2ts", "video/mp2t"), ("a.ogv", "video/ogg"), ("a.flac", "audio/flac"),
        ("a.webmanifest", "application/manifest+json"), ("a.exe", "application/octet-stream"),
        ("a", "application/octet-stream"), (".js", "application/octet-stream"),
        ("a.tar.gz", "application/octet-stream"), ("a.js.", "application/octet-stream"),
    ],
)  # fmt: skip
def test_content_types(name, expected):
    assert content_type_of(name) == expected
    assert content_type_of(Path("/x") / name) == expected


def test_a_client_may_be_sent_to_where_a_blob_is_kept(site):
    blob = MemoryBlob(CONTENT, seekable=True)
    serve(site, lambda: Response.file(blob, direct=True))
    assert site.get(PATH).body == CONTENT  # that place gives no address
    blob.address = "https://store.example/b/k"
    for headers in ({}, {"Range": "bytes=10-19"}):
        reply = site.get(PATH, **headers)
        assert (reply.status, reply.body) == (307, b"")
        assert reply.headers["location"] == "https://store.example/b/k?for=3600"
        assert reply.headers["cache-control"] == "no-store"
        assert "content-disposition" not in reply.headers
    etag = site.get(PATH, If_None_Match='"e-1"')
    assert etag.status == 304
    head = site.ask("HEAD", PATH)
    assert (head.status, head.headers["content-length"]) == (200, str(len(CONTENT)))
    assert not blob.streams[1:]


@pytest.mark.parametrize(
    "more",
    [
        {"filename": "a.ogg"},
        {"attachment": True},
        {"content_type": "text/plain"},
        {"direct": False},
    ],
    ids=["filename", "attachment", "type", "not asked for"],
)
def test_what_that_place_does_not_know_is_sent_from_here(site, more):
    blob = MemoryBlob(CONTENT, seekable=True)
    blob.address = "https://store.example/b/k"
    serve(site, lambda: Response.file(blob, **{"direct": True, **more}))
    reply = site.get(PATH)
    assert (reply.status, reply.body) == (200, CONTENT)


def test_a_file_is_never_sent_for(site, film):
    serve(site, lambda: Response.file(film, direct=True))
    assert site.get(PATH).body == CONTENT
