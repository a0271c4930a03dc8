"""Bundles through a real host (plugin contract, 8)."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from host.testing import TestHost
from plugin_sdk import Plugin, hookimpl

MakeHost = Callable[..., TestHost]


class Songs(Plugin):
    """Says what diagnostics ask for."""

    manifest: ClassVar = {
        "id": "example.songs",
        "settings": {"type": "object", "properties": {"answer": {"default": {"n": 1}}}},
    }

    def diagnostics(self) -> Any:
        answer = self.context.settings["answer"]
        if answer == "raise":
            raise ValueError("my song.psarc at 192.168.1.7")
        return bytes(4) if answer == "bytes" else answer

    @hookimpl
    def diagnostics_song_names(self) -> list[str]:
        return ["Secret Song.psarc"]


@pytest.fixture
def host(make_host: MakeHost) -> TestHost:
    return make_host(Songs)


def export(host: TestHost, body: Any = None) -> zipfile.ZipFile:
    answer = host.post("/api/diagnostics/export", json=body)
    assert answer.status == 200, answer.content
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="diagnostics.zip"'
    bundle = zipfile.ZipFile(io.BytesIO(answer.content))
    assert bundle.testzip() is None
    listed = {each["path"]: each["size"] for each in manifest(bundle)["files"]}
    there = {each.filename: each.file_size for each in bundle.infolist()}
    del there["manifest.json"]
    assert listed == there
    return bundle


def read(bundle: zipfile.ZipFile, path: str) -> Any:
    return json.loads(bundle.read(path))


def manifest(bundle: zipfile.ZipFile) -> Any:
    return read(bundle, "manifest.json")


def logged(host: TestHost, *texts: str) -> None:
    for text in texts:
        host.plugin("example.songs").context.log.info("%s", text)
    host.host.logs.flush()


SERVER_FILES = {
    "README.txt",
    "manifest.json",
    "system/version.json",
    "system/env.json",
    "system/hardware.json",
    "system/plugins.json",
    "logs/server.log",
    "logs/server.log.meta.json",
    "plugins/example.songs/server.json",
}


def test_a_bundle_without_a_body(host: TestHost) -> None:
    bundle = export(host)
    names = set(bundle.namelist())
    assert names >= SERVER_FILES
    assert all(
        re.fullmatch(r"plugins/[a-z0-9_.]+/server\.json", each) for each in names - SERVER_FILES
    )
    document = manifest(bundle)
    assert document["schema"] == 1
    assert document["redacted"] is True
    assert document["runtime"] in ("docker", "bare")
    assert set(document["redactions"]) == {
        "paths_replaced",
        "ips_replaced",
        "song_names_replaced",
        "secrets_replaced",
    }
    for entry in document["files"]:
        if entry["kind"] == "json":
            assert read(bundle, entry["path"])["schema"] == entry["schema"]
        else:
            assert entry["lines"] == bundle.read(entry["path"]).count(b"\n")
    assert read(bundle, "plugins/example.songs/server.json")["data"] == {"n": 1}


def test_the_sections_of_the_server(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Zurich")
    monkeypatch.setenv("NOT_FOR_BUNDLES", "x")
    monkeypatch.setenv("STAGEBOX_RUNTIME", "docker")
    (host.data_dir / "plugins" / "Odd Name").mkdir()
    (host.data_dir / "plugins" / "Odd Name" / "plugin.json").write_text(
        '{"id": "odd", "version": 1}'
    )
    bundle = export(host)
    version = read(bundle, "system/version.json")
    assert set(version) == {"schema", "version", "python", "os", "exported_at"}
    variables = read(bundle, "system/env.json")["vars"]
    assert variables["TZ"] == "Europe/Zurich"
    assert "NOT_FOR_BUNDLES" not in variables
    assert manifest(bundle)["runtime"] == "docker"
    hardware = read(bundle, "system/hardware.json")
    assert set(hardware) == {"schema", "runtime", "os", "cpu", "memory", "gpu", "notes"}
    assert hardware["runtime"]["kind"] == "docker"
    plugins = read(bundle, "system/plugins.json")
    assert plugins["plugins"] == host.get("/api/plugins").json()
    assert plugins["orphans"] == [
        {
            "dir": "Odd Name",
            "id": "odd",
            "name": None,
            "version": None,
            "reason": "skipped: the name is no id of a plugin",
        }
    ]


@pytest.mark.parametrize("section", ["system", "hardware", "logs", "console", "plugins"])
def test_a_section_that_is_left_out_is_absent(host: TestHost, section: str) -> None:
    body = {
        "include": {section: False, "other": "ignored"},
        "clientConsole": [{"a": 1}],
        "clientHardware": {"a": 1},
        "clientUa": {"a": 1},
        "localStorage": {"a": "1"},
        "contributions": {"example.songs": [1]},
    }
    paths = {
        "system": {"system/version.json", "system/env.json", "client/ua.json"},
        "hardware": {"system/hardware.json", "client/hardware.json"},
        "logs": {"logs/server.log", "logs/server.log.meta.json"},
        "console": {"client/console.json", "client/local_storage.json"},
        "plugins": {"system/plugins.json", "plugins/example.songs/client.json"},
    }
    names = set(export(host, body).namelist())
    assert not names & paths[section]
    others = set().union(*(found for name, found in paths.items() if name != section))
    assert names >= others
    if section == "plugins":
        assert not any(name.startswith("plugins/") for name in names)


def test_what_the_client_sends(host: TestHost) -> None:
    bundle = export(
        host,
        {
            "clientConsole": [{"level": "warn", "text": "from 192.168.1.7", "newPin": 12}],
            "clientHardware": {"webgl": {"vendor": "V"}, "schema": "mine"},
            "clientUa": {"userAgent": "Mozilla"},
            "localStorage": {"authToken": "x", "theme": "Secret Song", "pin_code": "1"},
            "contributions": {"example.songs": {"file": "/a/b.psarc"}, "../evil": 1, "unknown": 2},
        },
    )
    console = read(bundle, "client/console.json")["entries"]
    assert re.fullmatch(r"from <ip:[0-9a-f]{6}>", console[0]["text"])
    assert console[0]["newPin"] == "<redacted>"
    assert read(bundle, "client/hardware.json") == {
        "webgl": {"vendor": "V"},
        "schema": "client.hardware.v1",
    }
    assert read(bundle, "client/ua.json")["userAgent"] == "Mozilla"
    storage = read(bundle, "client/local_storage.json")["data"]
    assert re.fullmatch(r"<song:[0-9a-f]{8}>", storage.pop("theme"))
    assert storage == {"authToken": "<redacted>", "pin_code": "<redacted>"}
    contribution = read(bundle, "plugins/example.songs/client.json")
    assert re.fullmatch(r"/a/<song:[0-9a-f]{8}>", contribution["file"])
    assert not any("evil" in name or "unknown" in name for name in bundle.namelist())
    document = manifest(bundle)
    assert document["redactions"] == {**document["redactions"], "secrets_replaced": 3}
    assert any("no such plugin" in note for note in document["notes"])


def test_unredacted_all_but_secrets(host: TestHost) -> None:
    logged(host, "seen from 192.168.1.7")
    bundle = export(
        host,
        {
            "redact": False,
            "clientConsole": [{"text": "192.168.1.7 a.psarc", "session": "s"}],
            "localStorage": {"secret": "s", "theme": "dark"},
        },
    )
    assert manifest(bundle)["redacted"] is False
    assert b"192.168.1.7" in bundle.read("logs/server.log")
    assert read(bundle, "client/console.json")["entries"] == [
        {"text": "192.168.1.7 a.psarc", "session": "<redacted>"}
    ]
    assert read(bundle, "client/local_storage.json")["data"] == {
        "secret": "<redacted>",
        "theme": "dark",
    }


def test_the_log_is_redacted(host: TestHost) -> None:
    logged(host, f"reading {host.data_dir}/x for 192.168.1.7", "Secret Song.psarc", "Secret Song")
    bundle = export(host)
    text = bundle.read("logs/server.log").decode()
    assert "reading <DATA_DIR>/x for <ip:" in text
    assert "Secret Song" not in text
    assert str(host.data_dir) not in text
    assert text.endswith("\n")
    for line in text.splitlines():
        json.loads(line)
    meta = read(bundle, "logs/server.log.meta.json")
    assert meta["log_file"] == "<DATA_DIR>/logs/server.log"
    assert meta["exists"] is True
    assert meta["truncated"] is False


def test_only_the_end_of_a_long_log(host: TestHost) -> None:
    logged(host, "so that there is a file")
    file = host.data_dir / "logs" / "server.log"
    line = json.dumps({"time": "2026-01-01T00:00:00.000Z", "level": "info", "message": "x" * 900})
    with file.open("a") as stream:
        for number in range(7000):
            stream.write(f"{line} {number}\n")
    bundle = export(host, {"redact": False})
    content = bundle.read("logs/server.log")
    assert len(content) <= 5_242_880
    assert content.startswith(b'{"time"')
    meta = read(bundle, "logs/server.log.meta.json")
    assert meta["truncated"] is True
    assert meta["tail_bytes"] == len(content)
    assert meta["size_bytes"] > 7000 * 900


def test_caps(host: TestHost) -> None:
    bundle = export(
        host,
        {
            "clientConsole": [{"n": n} for n in range(1100)],
            "clientHardware": {"x": "y" * 2_000_001},
            "clientUa": {"x": "y" * 1_900_000},
            "contributions": {"example.songs": "y" * 4_000_001},
        },
    )
    entries = read(bundle, "client/console.json")["entries"]
    assert entries == [{"n": n} for n in range(100, 1100)]
    names = bundle.namelist()
    assert "client/hardware.json" not in names
    assert "client/ua.json" in names
    assert "plugins/example.songs/client.json" not in names
    notes = " ".join(manifest(bundle)["notes"])
    assert "1000 of 1100" in notes
    assert "client/hardware.json" in notes
    assert "contributions" in notes


def test_the_console_keeps_what_fits(host: TestHost) -> None:
    bundle = export(host, {"clientConsole": [{"n": n, "x": "y" * 500_000} for n in range(6)]})
    assert [entry["n"] for entry in read(bundle, "client/console.json")["entries"]] == [3, 4, 5]


@pytest.mark.parametrize(
    ("answer", "path"),
    [("a text", "server.txt"), ("bytes", "server.bin"), ({"n": 1}, "server.json")],
)
def test_what_plugins_say(host: TestHost, answer: Any, path: str) -> None:
    host.put("/api/plugins/example.songs/config", json={"answer": answer})
    content = export(host).read(f"plugins/example.songs/{path}")
    if path == "server.json":
        said = {"schema": "plugin.server.v1", "pluginId": "example.songs", "data": answer}
        assert json.loads(content) == said
    else:
        assert content == (bytes(4) if answer == "bytes" else b"a text")


def test_a_plugin_that_cannot_say_anything(host: TestHost) -> None:
    for answer in ("raise", 7):
        host.put("/api/plugins/example.songs/config", json={"answer": answer})
        bundle = export(host)
        assert not any(name.startswith("plugins/example.songs/") for name in bundle.namelist())
        [note] = [each for each in manifest(bundle)["notes"] if "example.songs" in each]
        assert note.startswith("The diagnostics of example.songs")
        assert "192.168.1.7" not in note
        assert "psarc" not in note


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"redact": 1}, "redact"),
        ({"include": []}, "include"),
        ({"include": {"logs": "yes"}}, "include.logs"),
        ({"clientConsole": {}}, "clientConsole"),
        ({"clientConsole": ["text"]}, "clientConsole.0"),
        ({"clientHardware": []}, "clientHardware"),
        ({"contributions": None}, "contributions"),
    ],
)
def test_wrong_types(host: TestHost, body: Any, path: str) -> None:
    answer = host.post("/api/diagnostics/export", json=body)
    assert (answer.status, answer.json()["error"]) == (400, "INVALID_REQUEST")
    assert [each["path"] for each in answer.json()["details"]] == [path]


def test_only_for_those_who_are_signed_in(host: TestHost) -> None:
    assert host.post("/api/diagnostics/export", token="nobody").status == 401
    assert host.get("/api/diagnostics/export").status == 405
