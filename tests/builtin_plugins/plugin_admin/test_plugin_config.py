"""Settings of plugins over HTTP (plugin contract, 10.7)."""

from __future__ import annotations

import pytest

from .conftest import CODE, SETTINGS


def test_config_is_shown_with_masks_and_replaced_as_a_whole(host):
    path = "/api/plugins/themes/config"
    assert host.get(path).json() == {"greeting": "world", "count": None, "password": None}
    stored = host.put(path, json={"greeting": "you", "count": 3, "password": "hush"})
    assert stored.json() == {"greeting": "you", "count": 3, "password": "********"}
    assert host.get("/api/plugins/themes/hello").json() == {"hello": "you"}
    kept = host.put(path, json={"password": "********"})
    assert kept.json() == {"greeting": "world", "count": None, "password": "********"}
    assert host.host.settings_store.effective("themes")["password"] == "hush"
    assert host.put(path, json={}).json()["password"] is None


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        (b'{"greetin": "x"}', "greetin", 'did you mean "greeting"?'),
        (b'{"count": 1.0}', "count", "integer"),
        (b'{"count": true}', "count", "integer"),
        (b'{"count": 0}', "count", "at least 1"),
        (b'{"greeting": 5}', "greeting", "text"),
    ],
)
def test_config_is_checked_and_nothing_is_stored(shared, body, path, text):
    headers = {"Content-Type": "application/json"}
    reply = shared.put("/api/plugins/themes/config", content=body, headers=headers)
    assert (reply.status, reply.json()["error"]) == (400, "INVALID_REQUEST")
    (detail,) = reply.json()["details"]
    assert detail["path"] == path
    assert text in detail["message"]
    assert shared.get("/api/plugins/themes/config").json()["greeting"] == "world"


def test_a_key_that_occurs_twice_is_refused_in_settings(shared):
    reply = shared.put(
        "/api/plugins/themes/config",
        content=b'{"count": 1, "count": 2}',
        headers={"Content-Type": "application/json"},
    )
    assert reply.status == 400
    assert shared.get("/api/plugins/themes/config").json()["count"] is None


def test_what_the_file_pins_cannot_be_changed(make_host, write_plugin, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stagebox.toml").write_text('[plugins.themes]\ngreeting = "pinned"\n')
    host = make_host(write_plugin("themes", CODE, settings=SETTINGS))
    assert host.get("/api/plugins/themes/hello").json() == {"hello": "pinned"}
    reply = host.put("/api/plugins/themes/config", json={"greeting": "other"})
    assert (reply.status, reply.json()["error"]) == (409, "CONFLICT")
    assert host.put("/api/plugins/themes/config", json={"greeting": "pinned"}).status == 200
    host.put("/api/plugins/themes/config", json={"greeting": "pinned", "count": 2})
    assert host.get("/api/plugins/themes/config/sources").json() == {
        "greeting": {"source": "file", "where": "stagebox.toml [plugins.themes]"},
        "count": {"source": "stored"},
        "password": {"source": "default"},
    }
    assert host.get("/api/plugins/nowhere/config/sources").status == 404


def test_a_plugin_without_settings_takes_none(shared):
    assert shared.get("/api/plugins/plugin_data/config").json() == {}
    assert shared.put("/api/plugins/plugin_data/config", json={}).status == 200
    assert shared.put("/api/plugins/plugin_data/config", json={"a": 1}).status == 400
    assert shared.get("/api/plugins/nowhere/config").status == 404
