"""Files and artwork as bytes (5.7), and colours of artwork (9.2)."""

from __future__ import annotations

import io
import os
import resource
import socket
import threading
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from plugin_sdk import HttpReply
from plugin_sdk.testing import FakeClock, FakeHttp, FakeLog

SIZE = 2_000_000


@pytest.fixture(scope="module")
def content():
    return os.urandom(SIZE)


@pytest.fixture
def streamed(client, plant, tmp_path, content):
    """The address of a film of 2,000,000 bytes."""
    root = plant(tmp_path / "films", "Amélie “2” (2001)/Amélie “2” (2001).mp4")
    (root / "Amélie “2” (2001)/Amélie “2” (2001).mp4").write_bytes(content)
    client.scan(root)
    return client.get("/movies")[0]["streamUrl"]


RANGES = [
    ("bytes=0-99", 0, 100),
    ("bytes=100-", 100, SIZE - 100),
    ("bytes=0-0", 0, 1),
    ("bytes=1999999-", SIZE - 1, 1),
    ("bytes=-100", SIZE - 100, 100),
    ("bytes=-99999999", 0, SIZE),
    ("bytes=0-99999999", 0, SIZE),
]


@pytest.mark.parametrize(("header", "start", "length"), RANGES, ids=[row[0] for row in RANGES])
def test_ranges(client, streamed, content, header, start, length):
    answer = client.host.get(streamed, headers={"Range": header})
    assert answer.status == 206
    assert answer.content == content[start : start + length]
    end = start + length - 1
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{SIZE}"
    assert answer.headers["content-length"] == str(length)


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "items=0-5", "bytes=abc-", "bytes=", "0-5"])
def test_ranges_that_mean_the_whole(client, streamed, header):
    answer = client.host.get(streamed, headers={"Range": header})
    assert (answer.status, len(answer.content)) == (200, SIZE)


@pytest.mark.parametrize("header", ["bytes=2000000-", "bytes=-0", "bytes=50-10"])
def test_ranges_without_a_byte(client, streamed, header):
    answer = client.host.get(streamed, headers={"Range": header})
    client.fails(answer, 416, "Range Not Satisfiable")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


def test_the_headers_of_a_file(client, streamed):
    whole = client.host.get(streamed)
    assert whole.status == 200
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "private, no-cache"
    assert whole.headers["last-modified"].endswith("GMT")
    tag = whole.headers["etag"]
    assert tag[0] == tag[-1] == '"'
    name = quote("Amélie “2”.mp4")
    shown = f"inline; filename=\"Am_lie _2_.mp4\"; filename*=UTF-8''{name}"
    assert whole.headers["content-disposition"] == shown
    head = client.host.head(streamed, headers={"Range": "bytes=0-9"})
    assert (head.status, head.headers["content-length"]) == (200, str(SIZE))
    unchanged = client.host.get(streamed, headers={"If-None-Match": tag})
    assert (unchanged.status, unchanged.content) == (304, b"")
    for if_range, status in ((tag, 206), ('"other"', 200)):
        headers = {"If-Range": if_range, "Range": "bytes=0-9"}
        assert client.host.get(streamed, headers=headers).status == status


def test_episodes_are_named_by_their_numbers(client, plant, tmp_path):
    client.scan(plant(tmp_path / "shows", "Show/Show S01E02.ts"), "tv")
    show = client.get(f"/tvshows/{client.get('/tvshows')[0]['id']}")
    answer = client.host.get(show["seasons"][0]["episodes"][0]["streamUrl"])
    assert answer.headers["content-type"] == "video/mp2t"
    assert "Show - S01E02.ts" in answer.headers["content-disposition"]


def test_an_empty_file(client, plant, tmp_path):
    client.scan(plant(tmp_path / "films", "A.mkv", size=0))
    url = client.get("/movies")[0]["streamUrl"]
    assert client.host.get(url).headers["content-length"] == "0"
    assert client.host.get(url, headers={"Range": "bytes=0-"}).status == 416


@pytest.mark.parametrize("change", ["gone", "link", "parent", "folder", "pipe"])
def test_what_is_not_what_was_scanned(client, plant, tmp_path, change):
    root = plant(tmp_path / "films", "A (2001)/A.mkv")
    client.scan(root)
    url = client.get("/movies")[0]["streamUrl"]
    path = root / "A (2001)/A.mkv"
    secret = plant(tmp_path / "secret", "A.mkv")
    if change == "parent":
        path.unlink()
        path.parent.rmdir()
        path.parent.symlink_to(secret)
    else:
        path.unlink()
    if change == "link":
        path.symlink_to(secret / "A.mkv")
    elif change == "folder":
        path.mkdir()
    elif change == "pipe":
        os.mkfifo(path)
    answer = client.host.get(url)
    body = client.fails(answer, 404, "Not found")
    assert body["message"] == f"Media file with identifier '{url.rpartition('/')[2]}' not found"


def memory():
    """What this process holds, in bytes."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def test_large_files_take_no_memory(client, plant, tmp_path):
    root = plant(tmp_path / "films", "Huge (2001).mkv")
    size = 3 * 1024**3
    with (root / "Huge (2001).mkv").open("r+b") as file:
        file.truncate(size)
        file.seek(size - 3)
        file.write(b"end")
    client.scan(root)
    url = client.get("/movies")[0]["streamUrl"]
    answer = client.host.get(url, headers={"Range": "bytes=-3"})
    assert answer.content == b"end"
    before = memory()
    parts = urlsplit(client.host.url)
    stalled = []
    try:
        for _ in range(8):  # clients that ask for everything and read nothing
            connection = socket.create_connection((parts.hostname, parts.port), timeout=60)
            connection.sendall(f"GET {url} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            stalled.append(connection)
        for _ in range(4):
            assert client.host.get("/health").status == 200
        answer = client.host.get(url, headers={"Range": f"bytes={size - 2}-"})
        assert answer.content == b"nd"
        assert memory() - before < 32 * 1024 * 1024
    finally:
        for connection in stalled:
            connection.close()


# Artwork


def picture(colour=(200, 30, 40), size=(50, 75), kind="PNG"):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


@pytest.fixture
def web(client, monkeypatch):
    """Servers of pictures, as far as the plugin can tell."""
    fake = FakeHttp(private=True)
    pictures = client.host.plugin("media")._gradients._pictures
    monkeypatch.setattr(pictures, "_http", fake)
    return fake


RED = ["#cc1c2c", "#ee8a93", "#741019", "#86121d"]


def test_artwork_is_kept_and_served(client, script, web, film, plant, tmp_path):
    client.use()
    web.answer("GET", "https://img.example/p.jpg", HttpReply(200, {}, picture(kind="JPEG")))
    web.answer("GET", "https://img.example/b.png", HttpReply(200, {}, b"no picture"))
    script.answers["movie:A"] = film(
        1,
        "A",
        poster_url="https://img.example/p.jpg",
        backdrop_url="https://img.example/b.png",
        logo_url="https://img.example/l.png",
    )
    client.scan(plant(tmp_path / "films", "A.mkv"))
    asked = len(web.requests)
    media = client.get("/movies")[0]["media"]
    assert media["posterUrl"].startswith("/api/v1/image/")
    assert media["posterUrl"].endswith(".jpg")
    assert media["backdropUrl"] == "https://img.example/b.png"
    answer = client.host.get(media["posterUrl"])
    assert answer.content == picture(kind="JPEG")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    tag = answer.headers["etag"]
    assert client.host.get(media["posterUrl"], headers={"If-None-Match": tag}).status == 304
    assert len(media["meshGradientColors"]) == 4
    before = media["updatedAt"]
    again = client.get("/movies")[0]["media"]
    assert again["meshGradientColors"] == media["meshGradientColors"]
    assert again["updatedAt"] == before
    assert len(web.requests) == asked  # a stored poster needs no request


def test_other_artwork_has_other_colours(client, script, web, film, plant, tmp_path):
    client.use()
    web.answer("GET", "https://img.example/1.png", HttpReply(200, {}, picture()))
    web.answer("GET", "https://img.example/2.png", HttpReply(200, {}, picture((255, 255, 255))))
    script.answers["movie:A"] = film(1, "A", poster_url="https://img.example/1.png")
    root = plant(tmp_path / "films", "A.mkv")
    client.scan(root)
    item = client.get("/movies")[0]
    assert item["media"]["meshGradientColors"] == RED
    assert client.get("/search?query=a")["movies"][0]["media"]["meshGradientColors"] == RED
    script.answers["movie:1"] = film(1, "A", poster_url="https://img.example/2.png")
    client.scan(root, rescan=True)
    rows = client.query("SELECT colors FROM media")
    assert rows == [{"colors": None}]  # never by a scan
    assert client.get(f"/movies/{item['id']}")["media"]["meshGradientColors"] == []
    assert client.query("SELECT colors FROM media") == [{"colors": "[]"}]


def test_a_picture_that_cannot_be_fetched_again_stays(client, script, web, film, plant, tmp_path):
    client.use()
    address = "https://img.example/again.png"
    web.answer("GET", address, HttpReply(200, {}, picture((9, 90, 9))))
    script.answers["movie:A"] = script.answers["movie:1"] = film(1, "A", poster_url=address)
    root = plant(tmp_path / "films", "A.mkv")
    client.scan(root)
    [before] = client.get("/movies")
    assert before["media"]["posterUrl"].startswith("/api/v1/image/")
    web.answer("GET", address, HttpReply(503, {}, b""))
    client.scan(root, rescan=True)
    assert client.get("/movies") == [before]
    # Another picture is another matter: the address is true, the old picture is not.
    web.answer("GET", "https://img.example/new.png", HttpReply(503, {}, b""))
    script.answers["movie:1"] = film(1, "A", poster_url="https://img.example/new.png")
    client.scan(root, rescan=True)
    assert client.get("/movies")[0]["media"]["posterUrl"] == "https://img.example/new.png"


def test_private_pictures_are_of_configured_hosts(client, script, web, film, plant, tmp_path):
    """Any other address may have been written into a file by a stranger."""
    ours, others = "http://192.168.7.7:81/a.png", "http://192.168.7.8/b.png"
    client.use(config={"apiKey": "k", "baseUrl": "http://192.168.7.7/3"})
    for address in (ours, others):
        web.answer("GET", address, HttpReply(200, {}, picture((9, 9, 90))))
    script.answers["movie:A"] = film(1, "A", poster_url=ours, backdrop_url=others)
    script.answers["movie:B"] = film(2, "B", backdrop_url=others)
    client.scan(plant(tmp_path / "films", "A.mkv", "B.mkv"))
    assert [request.url for request in web.requests] == [ours]
    shown = {item["media"]["title"]: item["media"] for item in client.get("/movies")}
    assert shown["A"]["posterUrl"].startswith("/api/v1/image/")
    assert shown["A"]["backdropUrl"] == shown["B"]["backdropUrl"] == others
    assert (len(shown["A"]["meshGradientColors"]), shown["B"]["meshGradientColors"]) == (4, [])
    assert [request.url for request in web.requests] == [ours]  # colours neither


class Run:
    cancelled = False


def test_pictures_without_a_film_are_collected(
    client, script, web, film, plant, tmp_path, monkeypatch
):
    client.use()
    for name, colour in (("a", (1, 2, 3)), ("b", (4, 5, 6)), ("c", (7, 8, 9))):
        web.answer("GET", f"https://img.example/{name}.png", HttpReply(200, {}, picture(colour)))
    script.answers["movie:A"] = film(
        1, "A", poster_url="https://img.example/a.png", backdrop_url="https://img.example/b.png"
    )
    root = plant(tmp_path / "films", "A.mkv")
    client.scan(root)
    old = client.get("/movies")[0]["media"]["posterUrl"]
    script.answers["movie:1"] = film(
        1, "A", poster_url="https://img.example/c.png", backdrop_url="https://img.example/b.png"
    )
    client.scan(root, rescan=True)
    media = client.get("/movies")[0]["media"]
    plugin = client.host.plugin("media")
    assert plugin.collect_pictures(Run()) == 0  # a young one may belong to what is stored soon
    assert client.host.get(old).status == 200
    monkeypatch.setattr("builtin_plugins.media.artwork.GRACE_SECONDS", -1.0)
    assert plugin.collect_pictures(Run()) >= 1  # the module's other tests leave some as well
    assert client.host.get(old).status == 404
    assert client.host.get(media["posterUrl"]).status == 200
    assert client.host.get(media["backdropUrl"]).status == 200
    assert plugin.collect_pictures(Run()) == 0


def test_colours_that_fail_are_tried_again_later(client, plant, tmp_path, monkeypatch):
    client.scan(plant(tmp_path / "films", "A.mkv"))
    plugin = client.host.plugin("media")
    gradients = plugin._gradients
    clock, log = FakeClock(), FakeLog("test")
    asked = []

    class Broken:
        def read(self, url, row):
            asked.append(url)
            raise ValueError("broken")

    monkeypatch.setattr(gradients, "_pictures", Broken())
    monkeypatch.setattr(gradients, "_clock", clock)
    monkeypatch.setattr(gradients, "_log", log)
    plugin.context.db.execute("UPDATE media SET poster_url = 'https://img.example/x.png'")
    waits = [0, 60, 300, 3600, 86400, 86400]
    for place, seconds in enumerate(waits, 1):
        clock.advance(seconds - 1 if seconds else 0)
        client.get("/movies")
        assert len(asked) == place - (1 if seconds else 0)
        clock.advance(1 if seconds else 0)
        client.get("/movies")
        assert len(asked) == place


def test_one_computation_at_a_time(client, plant, tmp_path, monkeypatch, wait_until):
    client.scan(plant(tmp_path / "films", "A.mkv"))
    plugin = client.host.plugin("media")
    gate, asked = threading.Event(), []

    class Slow:
        def read(self, url, row):
            asked.append(url)
            gate.wait(60)
            return picture()

    monkeypatch.setattr(plugin._gradients, "_pictures", Slow())
    monkeypatch.setattr("builtin_plugins.media.LIST_SECONDS", 0.5)
    plugin.context.db.execute("UPDATE media SET backdrop_url = 'https://img.example/x.png'")
    try:
        items = [[item] for item in client.get("/movies")]
        assert items[0][0]["media"]["meshGradientColors"] == []
        wait_until(lambda: asked)
        client.get("/movies")
        assert len(asked) == 1
    finally:
        gate.set()
    wait_until(lambda: client.get("/movies")[0]["media"]["meshGradientColors"] == RED)
    assert len(asked) == 1
