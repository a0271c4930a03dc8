"""The same plugin in a real host, over real sockets."""

from __future__ import annotations

import json

import pytest
from soundboard.sounds import SOUNDS, wav

from plugin_sdk.testing import RunningHost
from plugin_sdk.testing.plugin import StartHost

BASE = "/api/plugins/example.soundboard"
CHIME = {"label": "Chime", "url": f"{BASE}/sounds/chime"}
ROOM = "?serverId=room-7ebdde75"


@pytest.fixture
def host(stagebox: StartHost) -> RunningHost:
    return stagebox("soundboard:plugin")


def test_sounds_come_in_ranges(host: RunningHost) -> None:
    whole = host.get(f"{BASE}/sounds/chime")
    part = host.get(f"{BASE}/sounds/chime", headers={"Range": "bytes=100-199"})
    assert whole.headers["content-type"] == "audio/wav"
    assert (whole.status, part.status) == (200, 206)
    assert part.content == whole.content[100:200]


def test_the_page_and_all_that_it_loads(host: RunningHost) -> None:
    page = host.get(f"{BASE}/board")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    for name, content_type in (("board.js", "text/javascript"), ("board.css", "text/css")):
        answer = host.get(f"{BASE}/file/static/{name}?v=1.0.0")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(content_type)
        assert "immutable" in answer.headers["cache-control"]


def test_favourites_are_plugin_data_that_outlives_a_restart(host: RunningHost) -> None:
    assert host.post(f"{BASE}/favorites{ROOM}", json=CHIME).status == 201
    assert host.post(f"{BASE}/favorites{ROOM}", json=CHIME).json()["error"] == "FAVORITE_EXISTS"
    host.restart()
    assert host.get(f"{BASE}/favorites{ROOM}").json() == [CHIME]
    query = "pluginId=example.soundboard&key=favorites&scope=server&serverId=room-7ebdde75"
    assert host.get(f"/api/plugin-data?{query}").status == 401, "extensions need a token"
    assert host.delete(f"{BASE}/favorites/Chime{ROOM}").status == 204
    assert host.get(f"{BASE}/favorites{ROOM}").json() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"label": "", "url": "/x"},
        {"label": "a/b", "url": "/x"},
        {"label": "a", "url": "javascript:x"},
        {"label": "a", "url": "//elsewhere/x"},
        {"label": "a", "url": "/x", "more": ""},
    ],
)
def test_a_favourite_that_is_none(host: RunningHost, body: dict[str, str]) -> None:
    answer = host.post(f"{BASE}/favorites{ROOM}", json=body)
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_REQUEST")


def test_a_form_uploads_a_sound(host: RunningHost) -> None:
    content = wav(SOUNDS["pop"])
    answer = host.post(
        f"{BASE}/uploads",
        content=b"\r\n".join(
            [
                b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\nMy pop',
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n',
                content,
                b"--x--\r\n",
            ]
        ),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status == 201, answer.content
    assert host.get(answer.headers["location"]).content == content


def test_a_check_runs_to_its_end(host: RunningHost) -> None:
    host.post(f"{BASE}/favorites{ROOM}", json=CHIME)
    started = host.post(f"{BASE}/checks{ROOM}")
    assert started.status == 202, started.content
    host.plugin("example.soundboard").context.jobs.wait(started.json()["id"])
    state = host.get(started.headers["location"]).json()
    assert (state["state"], state["done"], state["total"]) == ("succeeded", 1, 1)
    assert state["result"] == {"checked": 1, "broken": []}


def test_the_settings_show_at_once(host: RunningHost) -> None:
    answer = host.put("/api/plugins/example.soundboard/config", json={"title": "Ours"})
    assert answer.status == 200, json.dumps(answer.json())
    assert b"<h1>Ours</h1>" in host.get(f"{BASE}/board").content
