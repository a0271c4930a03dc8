"""Health through a real host (media contract, 5.1), and what it takes from the plugin media."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from host.testing import TestHost
from plugin_sdk import Unavailable

MakeHost = Callable[..., TestHost]


@pytest.fixture
def host(make_host: MakeHost) -> TestHost:
    return make_host()


def test_health(host: TestHost) -> None:
    answer = host.get("/health")
    body = answer.json()
    assert answer.status == 200
    assert list(body) == ["status", "version", "timestamp", "uptime", "services"]
    assert body["status"] == "OK"
    assert body["version"] == answer.headers["x-api-version"] == "0.3.0"
    assert isinstance(body["uptime"], float | int)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["timestamp"])
    services = body["services"]
    assert (services["metadata_service"], services["scanner_service"]) == ("unknown", "healthy")
    assert services["plugins"] == {
        each["id"]: each["state"] for each in host.get("/api/plugins").json()
    }
    host.disable("realtime")
    assert host.get("/health").json()["services"]["plugins"]["realtime"] == "disabled"
    host.disable("media")
    assert host.get("/health").json()["services"]["scanner_service"] == "unknown"
    assert host.head("/health").status == 200
    for name in ("x-frame-options", "referrer-policy", "cross-origin-resource-policy"):
        assert name in answer.headers


def test_health_knows_the_media_plugin(make_host: MakeHost) -> None:
    host = make_host(settings={"media": {"apiVersion": "1.2.3"}})
    body = host.get("/health").json()
    assert body["version"] == "1.2.3"
    assert body["services"]["scanner_service"] == "healthy"
    # Route guards have no effect as long as nobody could pass them.
    host.put("/api/plugins/media/config", json={"enableRouteGuards": True})
    assert host.get("/api/v1/logs").status == 200
    admin = {"name": "Ann", "pin": "1234", "recoveryPhrase": "blue moon"}
    assert host.post("/api/setup/init", json=admin).status == 201
    answer = host.get("/api/v1/logs")
    assert (answer.status, answer.json()["error"]) == (401, "Unauthorized")
    assert host.delete("/api/v1/logs").status == 401
    assert host.get("/health").status == 200
    token = host.post("/api/auth/login", json={"profileName": "Ann", "pin": "1234"}).json()["token"]
    assert host.get("/api/v1/logs", token=token).status == 200


def test_a_database_that_cannot_be_read(host: TestHost, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = type(host.plugin("media")._rows)

    def fail(_rows: object) -> bool:
        raise Unavailable("The database is not there.")

    monkeypatch.setattr(rows, "usable", fail)
    host.plugin("media").context.db.execute("INSERT INTO note VALUES ('metadata_state', 'healthy')")
    answer = host.get("/health")
    assert (answer.status, answer.json()["status"]) == (503, "ERROR")
    assert answer.json()["services"]["metadata_service"] == "unknown"
