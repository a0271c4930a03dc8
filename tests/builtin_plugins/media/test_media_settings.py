"""Settings and metadata providers over HTTP (media contract, 5.8, 5.9)."""

from __future__ import annotations

import json

import pytest

from plugin_sdk import Conflict

# Settings


def test_settings_and_their_defaults(client):
    defaults = {
        "port": 3001,
        "enableRouteGuards": False,
        "firstRun": True,
        "scanSettings": {
            "rescan": False,
            "followSymlinks": True,
            "mediaTypeDepth": {"movie": 2, "tv": 4},
        },
    }
    client.ok("PUT", "/settings", {"tmdbApiKey": ""})
    assert client.get("/settings") == defaults
    assert client.ok("PUT", "/settings", {}) == defaults
    changed = client.ok("PUT", "/settings", {"port": 5000, "scanSettings": {"maxDepth": 3, "x": 1}})
    assert changed == {**defaults, "port": 5000, "scanSettings": {"maxDepth": 3}}
    assert client.ok("POST", "/settings/first-run-complete") is None
    assert client.get("/settings")["firstRun"] is False
    reset = client.ok("POST", "/settings/reset-scan")
    assert reset == {**defaults, "port": 5000, "firstRun": False}
    assert client.ok("POST", "/settings/reset") == defaults


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"port": 999}, "port"),
        ({"port": True}, "port"),
        ({"port": "5000"}, "port"),
        ({"port": 5000.5}, "port"),
        ({"port": None}, "port"),
        ({"firstRun": 1}, "firstRun"),
        ({"enableRouteGuards": "true"}, "enableRouteGuards"),
        ({"tmdbApiKey": 5}, "tmdbApiKey"),
        ({"tmdbApiKey": "x" * 257}, "tmdbApiKey"),
        ({"tmdbApiKey": "a\u0000b"}, "tmdbApiKey"),
        ({"scanSettings": None}, "scanSettings"),
        ({"scanSettings": []}, "scanSettings"),
        ({"scanSettings": {"mediaType": "movies"}}, "scanSettings.mediaType"),
        ({"scanSettings": {"maxDepth": 11}}, "scanSettings.maxDepth"),
        ({"scanSettings": {"mediaTypeDepth": {"tv": -1}}}, "scanSettings.mediaTypeDepth.tv"),
        ({"scanSettings": {"mediaTypeDepth": 3}}, "scanSettings.mediaTypeDepth"),
        ({"scanSettings": {"fileExtensions": ["x" * 11]}}, "scanSettings.fileExtensions.0"),
        ({"scanSettings": {"fileExtensions": "mkv"}}, "scanSettings.fileExtensions"),
        ({"scanSettings": {"filenamePattern": "("}}, "scanSettings.filenamePattern"),
        ({"scanSettings": {"filenamePattern": "a\0"}}, "scanSettings.filenamePattern"),
        (
            {"scanSettings": {"filenamePattern": "((x{900}){900}){900}"}},
            "scanSettings.filenamePattern",
        ),
        ({"scanSettings": {"directoryPattern": 5}}, "scanSettings.directoryPattern"),
        ({"scanSettings": {"minFileSize": -1}}, "scanSettings.minFileSize"),
        ({"scanSettings": {"rescan": "yes"}}, "scanSettings.rescan"),
        ({"scanSettings": {"excludeDirectories": ["a"] * 51}}, "scanSettings.excludeDirectories"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_settings_that_are_refused(client, body, field):
    refusal = client.refused("PUT", "/settings", {"port": 6000, **body})
    assert refusal.startswith(f"{field}: ")
    assert not refusal.split(": ", 1)[1][0].isdigit()  # the third of what?
    assert client.get("/settings")["port"] == 3001
    if "Pattern" in field and body["scanSettings"].get("filenamePattern"):
        assert refusal.endswith("Invalid regex pattern")


def test_nothing_is_said_about_nul_where_anything_may_stand(client):
    """In JSON it is a character as any other, and whoever has written a backslash meant one."""
    changed = client.ok("PUT", "/settings", {"what\0": "\0", "scanSettings": {"x": "\0"}})
    assert changed["scanSettings"] == {}
    row = {"name": "any", "config": {"a": "\0", "b": "\\u0000"}}
    assert client.ok("POST", "/settings/providers", row)["config"] == row["config"]


def test_the_settings_are_the_plugins_settings(client):
    client.ok("PUT", "/settings", {"tmdbApiKey": "hush", "port": 5001})
    config = client.host.get("/api/plugins/media/config").json()
    text = json.dumps(config)
    assert "hush" not in text
    assert "5001" in text
    client.host.plugin("media").context.settings.update({"port": 5002})
    assert client.get("/settings")["port"] == 5002


def test_the_key_goes_to_the_provider(client):
    assert client.ok("PUT", "/settings", {"tmdbApiKey": " hush "})["tmdbApiKey"] == "********"
    [row] = client.get("/settings/providers")
    assert row["name"] == "tmdb"
    assert (row["enabled"], row["priority"]) == (True, 0)
    assert row["config"] == {
        "apiKey": "********",
        "baseUrl": "https://api.themoviedb.org/3",
        "rateLimitRps": 4,
    }
    config = {"apiKey": "********", "language": "de-DE"}
    client.ok("PUT", "/settings/providers/tmdb", {"priority": 7, "config": config})
    client.ok("PUT", "/settings", {"tmdbApiKey": "********"})
    assert _stored(client) == {"apiKey": "hush", "language": "de-DE"}
    client.ok("PUT", "/settings", {"tmdbApiKey": "other"})
    assert _stored(client) == {"apiKey": "other", "language": "de-DE"}
    assert client.ok("PUT", "/settings", {"tmdbApiKey": ""}).get("tmdbApiKey") is None
    [row] = client.get("/settings/providers")
    assert (row["enabled"], row["priority"]) == (False, 7)
    assert _stored(client) == {"apiKey": "other", "language": "de-DE"}
    # Setting it elsewhere does the same; resetting keeps it.
    client.host.plugin("media").context.settings.update({"tmdbApiKey": "third"})
    assert client.get("/settings/providers")[0]["enabled"] is True
    assert client.ok("POST", "/settings/reset")["tmdbApiKey"] == "********"


def test_a_key_that_was_put_but_half_is_put_by_whoever_reads(client, monkeypatch):
    client.ok("PUT", "/settings", {"tmdbApiKey": "old", "port": 4000})
    before = client.query("SELECT * FROM provider"), client.query("SELECT * FROM note")
    # The process ended behind the host's commit: the setting is new, the row is not.
    database = client.host.plugin("media").context.db
    client.ok("PUT", "/settings", {"tmdbApiKey": "new"})
    with database.transaction():
        for table, rows in zip(("provider", "note"), before, strict=True):
            database.table(table).delete_where()
            database.table(table).insert_all(rows)
    assert _stored(client)["apiKey"] == "old"
    assert len(client.get("/settings/providers")) == 1
    assert _stored(client)["apiKey"] == "new"
    # It ended before: neither is.
    settings = client.host.plugin("media").context.settings

    def refuse(values):
        raise Conflict("Somebody else has it.")

    monkeypatch.setattr(settings, "update", refuse, raising=False)
    answer = client.host.put("/api/v1/settings", json={"tmdbApiKey": "third", "port": 4001})
    client.fails(answer, 409, "Conflict")
    assert client.get("/settings")["port"] == 4000
    assert (len(client.get("/settings/providers")), _stored(client)["apiKey"]) == (1, "new")


def _stored(client):
    [row] = client.query("SELECT config FROM provider WHERE name = 'tmdb'")
    return json.loads(row["config"])


# Providers


def test_providers(client):
    made = client.ok(
        "POST",
        "/settings/providers",
        {"name": " Fake ", "config": {"apiKey": "hush", "pepper": "hot", "rate": 1}},
    )
    assert made["config"] == {"apiKey": "********", "pepper": "********", "rate": 1}
    assert (made["available"], made["configured"], made["priority"]) == (True, True, 0)
    assert "created_at" in made
    client.ok(
        "POST", "/settings/providers", {"name": "b", "priority": 5, "config": {"type": "fake"}}
    )
    client.ok("POST", "/settings/providers", {"name": "a", "priority": 5, "enabled": False})
    rows = client.get("/settings/providers")
    assert [(row["name"], row["available"]) for row in rows] == [
        ("fake", True),
        ("a", False),
        ("b", True),
    ]
    changed = client.ok("PUT", "/settings/providers/FAKE", {"config": {"pepper": "********"}})
    assert changed["config"] == {"pepper": "********"}
    assert changed["configured"] is False
    assert client.ok("PUT", "/settings/providers/fake", {}) == changed
    again = client.ok("POST", "/settings/providers", {"name": "a"})
    assert (again["enabled"], again["priority"], again["config"]) == (True, 0, {})
    assert client.ok("DELETE", "/settings/providers/A/") is None
    missing = client.host.put("/api/v1/settings/providers/a", json={})
    client.fails(missing, 404, "Not found")


def test_secrets_deep_in_a_config(client):
    config = {"login": {"password": "hush", "name": "Ann"}, "list": [1]}
    shown = client.ok("POST", "/settings/providers", {"name": "b", "config": config})["config"]
    assert shown == {"login": {"password": "********", "name": "Ann"}, "list": [1]}
    shown["login"]["name"] = "Bob"
    client.ok("PUT", "/settings/providers/b", {"config": shown})
    [row] = client.query("SELECT config FROM provider")
    assert json.loads(row["config"]) == {"login": {"password": "hush", "name": "Bob"}, "list": [1]}


def test_the_largest_config(client):
    config = {"a": "b" * (16 * 1024 - len('{"a":""}'))}
    client.ok("POST", "/settings/providers", {"name": "x", "config": config})
    config["a"] += "b"
    refusal = client.refused("POST", "/settings/providers", {"name": "x", "config": config})
    assert refusal.startswith("config: ")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, "name: Provider name is required"),
        ({"name": " "}, "name: Provider name is required"),
        ({"name": "a/b"}, "name: "),
        ({"name": "x" * 65}, "name: "),
        ({"name": "x", "enabled": 1}, "enabled: "),
        ({"name": "x", "priority": -1}, "priority: "),
        ({"name": "x", "priority": 1.5}, "priority: "),
        ({"name": "x", "config": []}, "config: "),
        ({"name": "x", "config": {"a": "b" * 17000}}, "config: "),
        ({"name": "fake", "config": {"rate": "fast"}}, "config.rate: "),
        ({"name": "x", "config": {"type": "fake", "apiKey": 5}}, "config.apiKey: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_providers_that_are_refused(client, body, refusal):
    assert client.refused("POST", "/settings/providers", body).startswith(refusal)
    assert client.get("/settings/providers") == []


def test_choosing_a_provider(client, wait_until):
    client.use("second", priority=3)
    client.host.host.providers.choose("metadata", "fake")

    def rows():
        found = client.get("/settings/providers")
        return [(row["name"], row["priority"], row["enabled"]) for row in found]

    wait_until(lambda: rows() == [("fake", 0, True), ("second", 4, True)])
