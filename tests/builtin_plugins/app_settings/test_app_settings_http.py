"""`/api/settings` through a real host (plugin contract, 7)."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.testing import TestHost
from plugin_sdk import HttpReply, Plugin

MakeHost = Callable[..., TestHost]
DEFAULTS = {
    "dlcDir": "",
    "psarcPlatform": "both",
    "defaultArrangement": "Lead",
    "avOffsetMs": 0,
    "demucsServerUrl": "",
}
FIVE: dict[str, Any] = {
    "dlcDir": {"type": "string", "default": ""},
    "psarcPlatform": {"enum": ["both", "pc", "mac"], "default": "both"},
    "defaultArrangement": {"enum": ["Lead", "Rhythm", "Bass", "Combo"], "default": "Lead"},
    "avOffsetMs": {"type": "number", "minimum": -1000, "maximum": 1000, "default": 0},
    "demucsServerUrl": {"type": "string", "default": ""},
}


class Themes(Plugin):
    manifest: ClassVar = {
        "id": "themes",
        "settings": {
            "type": "object",
            "properties": {
                "colour": {"type": "string", "default": "red"},
                "size": {"type": "integer", "minimum": 1},
                "password": {"type": "string", "writeOnly": True},
                "server": {
                    "type": "object",
                    "properties": {
                        "url": {"type": "string"},
                        "key": {"type": "string", "writeOnly": True},
                    },
                },
            },
        },
    }


@pytest.fixture
def host(make_host: MakeHost) -> TestHost:
    return make_host(Themes)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """For tests that leave no setting changed."""
    with TestHost(tmp_path_factory.mktemp("settings"), plugins=[Themes]) as host:
        yield host


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """For tests that leave the settings as they are, which is not the default."""
    with TestHost(tmp_path_factory.mktemp("configured"), plugins=[Themes]) as host:
        host.post("/api/settings", json={"avOffsetMs": 9})
        set_themes(host, colour="blue", size=4)
        yield host


@pytest.fixture
def folder(tmp_path: Path) -> str:
    path = tmp_path / "songs here"
    path.mkdir()
    return str(path)


def themes(host: TestHost) -> Any:
    return host.get("/api/plugins/themes/config").json()


def set_themes(host: TestHost, **values: Any) -> None:
    assert host.put("/api/plugins/themes/config", json=values).status == 200


def packed(files: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in files.items():
            archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return buffer.getvalue()


def send(host: TestHost, content: bytes, part: str = "file", **options: Any) -> HttpReply:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\nignored\r\n'
        b'--B\r\nContent-Disposition: form-data; name="%s"; filename="a.zip"\r\n\r\n%s\r\n--B--\r\n'
    ) % (part.encode(), content)
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    return host.post("/api/settings/import", content=body, headers=headers, **options)


def take(host: TestHost, files: dict[str, Any]) -> dict[str, Any]:
    answer = send(host, packed(files))
    assert answer.status == 200, answer.content
    body: dict[str, Any] = answer.json()
    assert body["ok"] is True
    return body


def export(host: TestHost) -> dict[str, Any]:
    answer = host.get("/api/settings/export")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/zip"
    name = r'attachment; filename="stagebox-settings-\d{4}-\d\d-\d\d\.zip"'
    assert re.fullmatch(name, answer.headers["content-disposition"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {each: json.loads(archive.read(each)) for each in archive.namelist()}


# The document


def test_all_five_by_default(shared: TestHost) -> None:
    assert shared.get("/api/settings", token="nobody").json() == DEFAULTS


def test_changes(host: TestHost, folder: str) -> None:
    changed = {"dlcDir": folder, "avOffsetMs": -12.5, "demucsServerUrl": "HTTP://box:9000/x"}
    answer = host.post("/api/settings", json=changed)
    assert (answer.status, answer.json()) == (200, {**DEFAULTS, **changed})
    answer = host.post("/api/settings", json={"avOffsetMs": None, "psarcPlatform": "pc"})
    assert answer.json() == {**DEFAULTS, **changed, "avOffsetMs": 0, "psarcPlatform": "pc"}
    assert host.post("/api/settings", json={"dlcDir": ""}).json()["dlcDir"] == ""
    assert host.post("/api/settings", json={}).status == 200
    assert host.post("/api/settings").json()["psarcPlatform"] == "pc"  # each key is optional
    host.restart()
    assert host.get("/api/settings").json()["psarcPlatform"] == "pc"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dlcDir", "relative"),
        ("dlcDir", "/no/such/directory"),
        ("dlcDir", "/etc/passwd"),
        ("dlcDir", 1),
        ("psarcPlatform", "PC"),
        ("defaultArrangement", "lead"),
        ("avOffsetMs", 1000.1),
        ("avOffsetMs", -1001),
        ("avOffsetMs", "0"),
        ("avOffsetMs", True),
        ("demucsServerUrl", "ftp://x"),
        ("demucsServerUrl", "http://"),
        ("demucsServerUrl", "http://a b"),
        ("demucsServerUrl", "http://a/" + "x" * 2048),
    ],
)
def test_one_bad_key_and_nothing_is_written(shared: TestHost, key: str, value: Any) -> None:
    good = {"defaultArrangement": "Bass", "psarcPlatform": "mac"}
    answer = shared.post("/api/settings", json={**good, key: value})
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert [each["path"] for each in answer.json()["details"]] == [key]
    assert shared.get("/api/settings").json() == DEFAULTS


def test_everything_that_is_wrong_is_told_at_once(shared: TestHost) -> None:
    bad = {"dlcDir": "/no/such/directory", "avOffsetMs": 5000, "scanOnStart": False, "psarc": 1}
    answer = shared.post("/api/settings", json=bad)
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_REQUEST")
    told = [each["path"] for each in answer.json()["details"]]
    assert sorted(told) == ["avOffsetMs", "dlcDir", "psarc", "scanOnStart"]
    for body in ([], 1, "x"):
        answer = shared.post("/api/settings", json=body)
        assert (answer.status, answer.json()["details"][0]["path"]) == (400, ""), body
    assert shared.get("/api/settings").json() == DEFAULTS


def test_unknown_and_repeated_keys(shared: TestHost) -> None:
    answer = shared.post("/api/settings", json={"avOffsetMS": 1})
    assert answer.status == 400
    assert 'did you mean "avOffsetMs"?' in answer.content.decode().replace("\\", "")
    raw = b'{"avOffsetMs": 1, "avOffsetMs": 2}'
    headers = {"Content-Type": "application/json"}
    assert shared.post("/api/settings", content=raw, headers=headers).status == 400
    assert shared.get("/api/settings").json() == DEFAULTS


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_folder_that_cannot_be_read(host: TestHost, folder: str) -> None:
    Path(folder).chmod(0)
    assert host.post("/api/settings", json={"dlcDir": folder}).status == 400


def test_different_keys_at_once(host: TestHost) -> None:
    changes = [{"avOffsetMs": 7}, {"psarcPlatform": "pc"}, {"defaultArrangement": "Combo"}]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda each: host.post("/api/settings", json=each), changes))
    assert [answer.status for answer in answers] == [200] * 3
    expected = {**DEFAULTS, **changes[0], **changes[1], **changes[2]}
    assert host.get("/api/settings").json() == expected


def test_who_may(shared: TestHost) -> None:
    assert shared.post("/api/settings", json={}, token="nobody").status == 401
    assert shared.get("/api/settings/export", token="nobody").status == 401
    assert send(shared, packed({"config.json": {}}), token="nobody").status == 401


def test_they_are_settings_of_songs_where_that_is_installed(make_host: MakeHost) -> None:
    host = make_host()
    host.disable("songs")
    own = {"scanIntervalMinutes": 0, "scanOnStart": True, "scanWorkers": 0}
    host.post("/api/settings", json={"avOffsetMs": 5})
    config = host.get("/api/plugins/songs/config").json()
    assert config == {**DEFAULTS, **own, "avOffsetMs": 5}
    assert host.get("/api/settings").json() == {**DEFAULTS, "avOffsetMs": 5}
    assert host.post("/api/settings", json={"scanWorkers": 3}).status == 400
    host.put("/api/plugins/songs/config", json={"avOffsetMs": 6, "scanWorkers": 4})
    assert host.get("/api/settings").json()["avOffsetMs"] == 6
    files = export(host)
    assert files["config.json"] == {**DEFAULTS, "avOffsetMs": 6}
    assert files["plugins/songs.json"] == {**own, "scanWorkers": 4}
    take(host, {"config.json": {"avOffsetMs": 1}})
    assert host.get("/api/plugins/songs/config").json()["scanWorkers"] == 4  # no file spoke of it
    told = take(host, {"config.json": {}, "plugins/songs.json": {"avOffsetMs": 9}})
    assert told["applied"] == ["config", "songs"]
    assert len(told["warnings"]) == 1
    assert host.get("/api/plugins/songs/config").json() == {**DEFAULTS, **own}


def test_what_the_operators_file_decides(make_host: MakeHost, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    pinned = "[plugins.songs]\navOffsetMs = 3\n"
    (tmp_path / "data" / "stagebox.toml").write_text(pinned)
    host = make_host()
    assert host.get("/api/settings").json()["avOffsetMs"] == 3
    answer = host.post("/api/settings", json={"avOffsetMs": 4, "psarcPlatform": "pc"})
    assert (answer.status, answer.json()["error"]) == (409, "CONFLICT")
    told = take(host, {"config.json": {"avOffsetMs": 4, "psarcPlatform": "mac"}})
    assert len(told["warnings"]) == 1
    assert host.get("/api/settings").json() == {**DEFAULTS, "avOffsetMs": 3, "psarcPlatform": "mac"}


# Export


def test_an_export_of_a_fresh_host(shared: TestHost) -> None:
    files = export(shared)
    assert files["config.json"] == DEFAULTS
    manifest = files["manifest.json"]
    assert manifest["schema"] == "stagebox.settings.v1"
    assert set(manifest) == {"schema", "exportedAt", "version", "plugins"}
    assert manifest["plugins"] == []
    assert set(files) == {"manifest.json", "config.json"}


def test_secrets_stay_at_home(host: TestHost) -> None:
    set_themes(host, size=4, password="hunter2", server={"url": "u", "key": "hunter3"})
    host.disable("themes")
    files = export(host)
    assert files["manifest.json"]["plugins"] == ["themes"]
    expected = {"colour": "red", "size": 4, "server": {"url": "u"}}
    assert files["plugins/themes.json"] == expected
    assert "hunter" not in json.dumps(files)


def test_there_and_back(host: TestHost, folder: str) -> None:
    host.post("/api/settings", json={"dlcDir": folder, "defaultArrangement": "Bass"})
    set_themes(host, colour="blue", size=4, password="hunter2", server={"url": "u", "key": "k"})
    before = (host.get("/api/settings").json(), host.plugin("themes").context.settings.as_dict())
    bundle = host.get("/api/settings/export").content
    host.post("/api/settings", json={"dlcDir": "", "avOffsetMs": 9})
    set_themes(host, password="********", server={"url": "v", "key": "********"})
    answer = send(host, bundle)
    assert answer.json() == {"ok": True, "applied": ["config", "themes"], "warnings": []}
    after = (host.get("/api/settings").json(), host.plugin("themes").context.settings.as_dict())
    assert after == before


# Import


def test_absent_keys_go_back_to_default_but_secrets_stay(host: TestHost) -> None:
    host.post("/api/settings", json={"avOffsetMs": 9, "psarcPlatform": "pc"})
    set_themes(host, colour="blue", size=4, password="hunter2")
    take(host, {"config.json": {"psarcPlatform": "mac"}, "plugins/themes.json": {"size": 5}})
    assert host.get("/api/settings").json() == {**DEFAULTS, "psarcPlatform": "mac"}
    assert themes(host) == {"colour": "red", "size": 5, "password": "********", "server": None}
    assert host.plugin("themes").context.settings["password"] == "hunter2"
    take(host, {"config.json": {}, "plugins/themes.json": {"password": "new"}})
    assert host.plugin("themes").context.settings["password"] == "new"


def test_a_plugin_without_a_file_stays_as_it_is(host: TestHost) -> None:
    set_themes(host, colour="blue")
    assert take(host, {"config.json": {}})["applied"] == ["config"]
    assert themes(host)["colour"] == "blue"


def test_what_is_skipped_with_a_warning(host: TestHost, folder: str) -> None:
    host.post("/api/settings", json={"dlcDir": folder})
    told = take(
        host,
        {
            "config.json": {"dlcDir": "/no/such/directory", "avOffsetMs": 1, "old": True},
            "plugins/themes.json": {"colour": "blue", "old": True},
            "plugins/gone.json": {"x": 1},
            "plugins/deeper/themes.json": b"not even JSON",
            "README.txt": b"hello",
        },
    )
    assert told["applied"] == ["config", "themes"]
    text = " ".join(told["warnings"])
    assert len(told["warnings"]) == 6
    for name in (
        "config.json:dlcDir",
        "config.json:old",
        "plugins/themes.json:old",
        "gone",
        "deeper",
        "README",
    ):
        assert name in text
    assert host.get("/api/settings").json() == {**DEFAULTS, "dlcDir": folder, "avOffsetMs": 1}
    assert themes(host)["colour"] == "blue"


@pytest.mark.parametrize(
    ("files", "paths"),
    [
        ({"config.json": {"avOffsetMs": 2000}}, ["config.json:avOffsetMs"]),
        ({"config.json": {"avOffsetMs": None}}, ["config.json:avOffsetMs"]),
        (
            {"config.json": {"psarcPlatform": 1, "dlcDir": 1}},
            ["config.json:dlcDir", "config.json:psarcPlatform"],
        ),
        ({"config.json": {}, "plugins/themes.json": {"size": 0}}, ["plugins/themes.json:size"]),
        (
            {"config.json": {"avOffsetMs": "x"}, "plugins/themes.json": {"size": "y", "colour": 1}},
            ["config.json:avOffsetMs", "plugins/themes.json:colour", "plugins/themes.json:size"],
        ),
        ({"config.json": b"{"}, ["config.json"]),
        (
            {"config.json": b"[]", "plugins/themes.json": b"NaN"},
            ["config.json", "plugins/themes.json"],
        ),
        ({"config.json": b'{"avOffsetMs": 1, "avOffsetMs": 2}'}, ["config.json"]),
        ({"config.json": b'{"avOffsetMs": NaN}'}, ["config.json"]),
        ({"config.json": b"[" * 40 + b"]" * 40}, ["config.json"]),
        ({"config.json": b"\xff"}, ["config.json"]),
        ({"config.json": {}, "manifest.json": {"schema": "other"}}, []),
        ({"config.json": {}, "manifest.json": b"x"}, ["manifest.json"]),
        ({"plugins/themes.json": {}}, []),
        ({"config.json": {}, "../x": b""}, []),
    ],
)
def test_a_refused_bundle_changes_nothing(
    configured: TestHost, files: dict[str, Any], paths: list[str]
) -> None:
    before = (configured.get("/api/settings").json(), themes(configured))
    answer = send(configured, packed(files))
    body = answer.json()
    assert (answer.status, body["error"]) == (400, "INVALID_BUNDLE")
    assert sorted(each["path"] for each in body.get("details", [])) == paths
    assert (configured.get("/api/settings").json(), themes(configured)) == before


def test_settings_events_are_told_once(host: TestHost, wait_until: Callable[..., None]) -> None:
    """What is only tried leaves no event."""
    heard: list[frozenset[str]] = []
    host.plugin("themes").context.settings.on_change(heard.append)
    take(host, {"config.json": {}, "plugins/themes.json": {"colour": "blue"}})
    wait_until(lambda: heard)
    send(host, packed({"config.json": {}, "plugins/themes.json": {"colour": 1, "size": 2}}))
    assert heard == [frozenset({"colour"})]


def test_forms_that_are_none(shared: TestHost) -> None:
    bundle = packed({"config.json": {}})
    answer = send(shared, bundle, part="other")
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert shared.post("/api/settings/import", json={}).status == 415
    answer = send(shared, b"not a ZIP file")
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_BUNDLE")
    assert send(shared, bytes(10 * 1024 * 1024 + 1)).status == 413
