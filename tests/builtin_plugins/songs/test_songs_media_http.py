"""Covers, sound, charts and edits of tracks through a real host, and who may do what."""

from __future__ import annotations

import io
import json
import os
import runpy
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

import builtin_plugins.songs as songs
from host.testing import TestHost

RULES = Path(__file__).parents[1] / "song_formats" / "rules.py"
broken_rules = runpy.run_path(str(RULES))["broken_rules"]
SOUND = bytes(range(256)) * 40


def picture(format: str = "PNG", size: tuple[int, int] = (8, 8), colour: str = "red") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, format)
    return content.getvalue()


def write_pack(path: Path, *, zipped: bool, cover: bytes, name: str = "cover.jpg") -> None:
    """A small pack of the open format."""
    manifest = f"""
feedpak_version: "1.0.0"
title: Pack
artist: Packer
duration: 12.5
cover: {name}
arrangements:
  - {{id: lead, name: Lead, file: lead.json, tuning: [-2, 0, 0, 0, 0, 0]}}
  - {{id: bass, name: Bass, file: bass.json}}
stems:
  - {{id: drums, file: drums.wav}}
  - {{id: full, file: full.ogg}}
  - {{id: lost, file: lost.ogg}}
"""
    chart = {"notes": [{"t": 1.0, "s": 0, "f": 3}], "beats": [{"time": 0.5, "measure": 1}]}
    files = {
        "manifest.yaml": manifest.encode(),
        "lead.json": json.dumps(chart).encode(),
        "bass.json": json.dumps({"notes": []}).encode(),
        "drums.wav": SOUND[::-1],
        "full.ogg": SOUND,
        name: cover,
    }
    judged = {**files, "lost.ogg": b""}  # one stem's file is missing
    assert not broken_rules(yaml.safe_load(manifest), judged)
    if zipped:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
            for each, content in files.items():
                pack.writestr(each, content)
        return
    path.mkdir(parents=True)
    for each, content in files.items():
        (path / each).write_bytes(content)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, database_engine: str) -> Iterator[TestHost]:
    folder = tmp_path_factory.mktemp("library")
    write_pack(folder / "zipped.sloppak", zipped=True, cover=picture("JPEG", (2000, 100)))
    write_pack(folder / "open.feedpak", zipped=False, cover=picture("PNG"), name="cover.png")
    settings = {"dlcDir": str(folder), "scanOnStart": True}
    data = tmp_path_factory.mktemp("host")
    with TestHost(data, settings={"songs": settings}) as host:
        yield host


@pytest.fixture
def tracks(host: TestHost, wait_until: Callable[..., None]) -> Mapping[str, str]:
    """trackIds by filename."""
    wait_until(lambda: host.get("/api/scan-status").json()["status"] == "complete", 60)
    songs = host.get("/api/library").json()["songs"]
    assert len(songs) == 2, host.get("/api/scan-status").json()
    return {song["filename"]: song["trackId"] for song in songs}


PACKS = ["zipped.sloppak", "open.feedpak"]


@pytest.mark.parametrize("pack", PACKS)
def test_a_track(host: TestHost, tracks: Mapping[str, str], pack: str) -> None:
    track = host.get(f"/api/tracks/{tracks[pack]}").json()
    assert (track["title"], track["artist"], track["format"]) == ("Pack", "Packer", "sloppak")
    assert (track["tuningName"], track["tuningSortKey"]) == ("Drop D", -2)
    assert (track["stemCount"], track["hasCover"], track["hasLyrics"]) == (3, True, False)
    assert track["arrangements"] == [
        {"index": 0, "name": "Lead", "notes": 1},
        {"index": 1, "name": "Bass", "notes": 0},
    ]
    assert track["edited"] == []
    data = host.get(f"/api/tracks/{tracks[pack]}/data").json()
    assert data["originalFilename"] == pack
    assert data["coverImageStorageId"] == f"cover_{tracks[pack]}"
    assert data["audioFileStorageId"] == f"audio_{tracks[pack]}"


@pytest.mark.parametrize("pack", PACKS)
def test_sound(host: TestHost, tracks: Mapping[str, str], pack: str) -> None:
    path = f"/api/tracks/{tracks[pack]}"
    stems = host.get(f"{path}/stems").json()["stems"]
    assert [stem["stemId"] for stem in stems] == ["drums", "full", "lost"]
    assert stems[0]["mimeType"] == "audio/wav"
    assert stems[0]["size"] == len(SOUND)
    assert stems[0]["stemAudioFileStorageId"] == f"stem_{tracks[pack]}_0"
    assert {stems[2][name] for name in ("mimeType", "size", "stemAudioFileStorageId")} == {None}
    assert len({stem["id"] for stem in stems}) == 3
    for _ in range(2):  # made, and kept
        whole = host.get(f"{path}/audio")
        assert (whole.status, whole.content) == (200, SOUND)
        assert whole.headers["content-type"] == "audio/ogg"
        assert whole.headers["cache-control"] == "no-cache"
        assert whole.headers["accept-ranges"] == "bytes"
        drums = host.get(f"{path}/stems/0/audio")
        assert (drums.content, drums.headers["content-type"]) == (SOUND[::-1], "audio/wav")
    part = host.get(f"{path}/audio", headers={"Range": "bytes=-16"})
    assert (part.status, part.content) == (206, SOUND[-16:])
    assert host.get(f"{path}/audio", headers={"Range": "bytes=9-5"}).status == 416
    tag = whole.headers["etag"]
    assert host.get(f"{path}/audio", headers={"If-None-Match": tag}).status == 304
    head = host.head(f"{path}/audio")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(SOUND)))
    assert host.get(f"{path}/stems/2/audio").status == 404
    assert host.get(f"{path}/stems/3/audio").status == 404
    assert host.get(f"{path}/stems/x/audio").status == 400
    assert host.get(f"{path}/stems/-1/audio").status == 400


def test_what_lies_open_is_not_copied(host: TestHost, tracks: Mapping[str, str]) -> None:
    db = host.plugin("songs").context.db
    for part in ("audio", "cover"):
        for track in tracks.values():
            assert host.get(f"/api/tracks/{track}/{part}").status == 200
        kept = {row["key"] for row in db.table("objects").rows_where()}
        assert f"{part}_{tracks['zipped.sloppak']}" in kept
        assert f"{part}_{tracks['open.feedpak']}" not in kept


def test_the_tag_of_open_sound_is_that_of_its_bytes(
    host: TestHost, tracks: Mapping[str, str]
) -> None:
    """The file may be another one before a scan sees that."""
    path = f"/api/tracks/{tracks['open.feedpak']}/audio"
    tag = host.get(path).headers["etag"]
    file = Path(host.plugin("songs").context.settings["dlcDir"]) / "open.feedpak" / "full.ogg"
    before = file.stat()
    file.write_bytes(SOUND[::-1])
    try:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        changed = host.get(path, headers={"If-None-Match": tag})
        assert (changed.status, changed.content) == (200, SOUND[::-1])
        ranged = {"Range": "bytes=0-3", "If-Range": tag}
        assert host.get(path, headers=ranged).status == 200
    finally:
        file.write_bytes(SOUND)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert host.get(path).headers["etag"] == tag


def test_the_tag_of_a_highway_is_that_of_its_chart(
    host: TestHost, tracks: Mapping[str, str]
) -> None:
    """Also while no scan has seen that the file changed."""
    path = f"/api/tracks/{tracks['open.feedpak']}/highway"
    tag = host.get(path).headers["etag"]
    file = Path(host.plugin("songs").context.settings["dlcDir"]) / "open.feedpak" / "lead.json"
    before, content = file.stat(), file.read_bytes()
    file.write_bytes(b'{"notes": []}')
    try:
        changed = host.get(path, headers={"If-None-Match": tag})
        assert (changed.status, changed.json()["notes"]) == (200, [])
        assert changed.headers["etag"] != tag
    finally:
        file.write_bytes(content)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert host.get(path, headers={"If-None-Match": tag}).status == 304


def test_the_length_of_the_artists_is_told(host: TestHost, tracks: Mapping[str, str]) -> None:
    path = "/api/library/artists"
    head, whole = host.request("HEAD", path), host.get(path)
    assert (head.status, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_covers_are_png(host: TestHost, tracks: Mapping[str, str]) -> None:
    for _ in range(2):
        converted = host.get(f"/api/tracks/{tracks['zipped.sloppak']}/cover")
        assert converted.headers["content-type"] == "image/png"
        image = Image.open(io.BytesIO(converted.content))
        assert (image.format, image.size) == ("PNG", (1024, 51))
        as_it_is = host.get(f"/api/tracks/{tracks['open.feedpak']}/cover")
        assert as_it_is.content == picture("PNG")
    assert set(host.get("/api/covers").json()) == set(tracks.values())
    assert host.get("/api/covers?count=1").headers["cache-control"] == "public, max-age=60"
    assert host.get("/api/covers?count=101").status == 400


def test_what_is_malformed_is_so_on_tracks_that_are_unknown(host: TestHost) -> None:
    unknown = f"/api/tracks/track_{'0' * 32}"
    for path in ("highway?arrangement=x", "stems/x/audio", "loops?profileId=x"):
        assert host.get(f"{unknown}/{path}").status == 400
    assert host.post(unknown, json={"title": ""}).status == 400
    assert host.get(f"{unknown}/highway?arrangement=0").status == 404


@pytest.mark.parametrize("pack", PACKS)
def test_the_highway(host: TestHost, tracks: Mapping[str, str], pack: str) -> None:
    path = f"/api/tracks/{tracks[pack]}/highway"
    answer = host.get(path)
    chart = answer.json()
    assert chart["song"] == {
        "title": "Pack",
        "artist": "Packer",
        "album": "",
        "duration": 12.5,
        "tuning": [-2, 0, 0, 0, 0, 0],
        "capo": 0,
        "arrangementName": "Lead",
        "arrangementIndex": 0,
        "centOffset": 0,
        "stringCount": 6,
    }
    assert chart["notes"] == [{"t": 1.0, "s": 0, "f": 3}]
    assert chart["beats"] == [{"time": 0.5, "measure": 1}]
    assert "phrases" not in chart
    bass = host.get(f"{path}?arrangement=1").json()
    assert (bass["song"]["stringCount"], bass["beats"]) == (4, chart["beats"])
    assert host.get(f"{path}?arrangement=2").status == 404
    assert host.get(f"{path}?arrangement=x").status == 400
    tag = answer.headers["etag"]
    again = host.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status, again.headers["etag"]) == (304, tag)
    host.post("/api/settings", json={"defaultArrangement": "Bass"})
    assert host.get(path).json()["song"]["arrangementName"] == "Bass"
    host.post("/api/settings", json={"defaultArrangement": None})


def form(*parts: tuple[str, bytes, str | None]) -> tuple[bytes, dict[str, str]]:
    """A multipart form of (name, content, filename)."""
    body = b""
    for name, content, filename in parts:
        named = f'; filename="{filename}"' if filename else ""
        body += f'--X\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + b"--X--\r\n", {"Content-Type": "multipart/form-data; boundary=X"}


def test_an_uploaded_cover(host: TestHost, tracks: Mapping[str, str]) -> None:
    track = tracks["zipped.sloppak"]
    path = f"/api/tracks/{track}"
    before = host.get(f"{path}/cover")
    highway = host.get(f"{path}/highway").headers["etag"]

    def send(*parts: tuple[str, bytes, str | None]) -> Any:
        content, headers = form(*parts)
        return host.post(path, content=content, headers=headers)

    for colour in ("blue", "green"):
        own = picture("PNG", colour=colour)
        answer = send(("title", b"Formed", None), ("coverImage", own, "my.gif"))
        assert answer.status == 200, answer.content
        assert answer.json()["edited"] == ["title", "coverImage"]
        shown = host.get(f"{path}/cover")
        assert shown.content == own
        assert shown.headers["etag"] != before.headers["etag"]
    assert host.get(f"{path}/highway").headers["etag"] != highway
    assert host.get(f"{path}/highway").json()["song"]["title"] == "Formed"
    db = host.plugin("songs").context.db
    uploads = "kind = 'upload'"
    assert db.table("objects").count_where(uploads) == 1  # the first one is gone
    jpeg = send(("coverImage", picture("WEBP"), "x"))
    assert jpeg.status == 200
    assert host.get(f"{path}/cover").content.startswith(b"\x89PNG")
    for wrong in (
        [("coverImage", b"GIF89a", "x.png")],
        [("coverImage", picture("PNG", (9000, 1)), "x.png")],
        [("title", b"x", "title.txt")],
        [("coverImage", b"null", None)],
    ):
        assert send(*wrong).status == 400
    host.post("/api/rescan/full")
    taken = host.post(path, json={"coverImage": None, "title": None}).json()
    assert (taken["edited"], taken["title"]) == ([], "Pack")
    assert host.get(f"{path}/cover").content == before.content
    assert db.table("objects").count_where(uploads) == 0
    assert host.post(path).status == 200  # nothing to change
    too_much = host.post(path, content=b"x", headers={"Content-Type": "text/plain"})
    assert too_much.status == 415


def test_who_may(host: TestHost, tracks: Mapping[str, str]) -> None:
    track = tracks["open.feedpak"]
    for method, path in [
        ("POST", "/api/rescan"),
        ("POST", "/api/rescan/full"),
        ("POST", "/api/library/cleanup-orphans"),
        ("POST", f"/api/tracks/{track}"),
        ("DELETE", f"/api/tracks/{track}"),
        ("POST", f"/api/tracks/{track}/score"),
        ("POST", f"/api/tracks/{track}/loops"),
        ("POST", "/api/scores/batch"),
        ("POST", "/api/favorites/toggle"),
        ("DELETE", "/api/loops/1"),
        ("GET", "/api/library?favorites=1"),
    ]:
        answer = host.request(method, path, token="of nobody")
        assert answer.status == 401, path
    for path in ("/api/library", f"/api/tracks/{track}", "/api/library/stats", "/api/scan-status"):
        assert host.get(path, token="of nobody").status == 200
    for path in ("", "/data", "/cover", "/audio", "/stems", "/stems/0/audio", "/highway"):
        answer = host.get(f"/api/tracks/track_{'0' * 32}{path}")
        assert (answer.status, answer.json()["error"]) == (404, "NOT_FOUND")
    assert host.get("/api/tracks/nonsense").status == 404
    answer = host.get("/api/library?page=x&size=0")
    assert answer.json()["error"] == "INVALID_REQUEST"
    assert [problem["path"] for problem in answer.json()["details"]] == ["page", "size"]


def test_profiles(make_library: Callable[..., Any]) -> None:
    library = make_library()
    host, track = library.host, library.write("a.fakesong")
    library.scan()
    body = {"name": "Admin", "pin": "1234", "recoveryPhrase": "my phrase"}
    assert host.post("/api/setup/init", json=body).status == 201
    login = {"profileName": "Admin", "pin": "1234"}
    token = host.post("/api/auth/login", json=login).json()["token"]
    path = f"/api/tracks/{track}"
    answer = host.post(f"{path}/score", json={"score": 7}, token=token)
    assert (answer.status, answer.json()["bestScore"]) == (201, 7)
    assert host.post("/api/favorites/toggle", json={"trackId": track}, token=token).json() == {
        "trackId": track,
        "favorite": True,
    }
    (favorite,) = host.get("/api/library?favorites=1", token=token).json()["songs"]
    assert (favorite["trackId"], favorite["favorite"]) == (track, True)
    loop = host.post(f"{path}/loops", json={"start_time": 1, "end_time": 2}, token=token)
    assert loop.status == 201
    assert host.get(f"{path}/loops", token=token).json() == [loop.json()]
    assert host.get(f"{path}/loops").status == 400
    assert host.delete(f"/api/loops/{loop.json()['id']}", token=token).status == 204


def test_settings_are_shared(host: TestHost) -> None:
    settings = host.get("/api/settings").json()
    assert settings["dlcDir"] == host.plugin("songs").context.settings["dlcDir"] != ""


def test_settings_of_before_are_taken_over(context: Any, former_settings: Any) -> None:
    former_settings.stored = {"avOffsetMs": 20, "defaultArrangement": "Bass"}
    plugin = context.start(songs.plugin)
    assert context.settings["avOffsetMs"] == 20
    assert context.settings["defaultArrangement"] == "Bass"
    assert former_settings.stored == {}
    context.stop(plugin)
    former_settings.stored = {"avOffsetMs": 30}  # once only
    context.stop(context.start(songs.plugin))
    assert context.settings["avOffsetMs"] == 20


def test_names_for_diagnostics(host: TestHost, tracks: Mapping[str, str]) -> None:
    plugin: Any = host.plugin("songs")
    assert set(plugin.diagnostics_song_names()) == set(PACKS)
    assert plugin.diagnostics()["tracks"] == 2
