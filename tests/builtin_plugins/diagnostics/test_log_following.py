"""What the log keeps, and who hears of it (media contract, 6 and 11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from host.testing import TestHost


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    """As an operator starts it, who says nothing about the log."""
    folder = tmp_path_factory.mktemp("following") / "data"
    with TestHost(folder, config={"log_level": "info"}) as host:
        yield host


def of_requests(host: TestHost) -> list[str]:
    host.host.logs.flush()
    found = host.get("/api/v1/logs?level=http&limit=500").json()["data"]
    return [each["message"] for each in found]


def set_to(host: TestHost, **values: Any) -> None:
    host.host.settings.update("diagnostics", values)


def test_requests_are_logged_unless_a_setting_says_otherwise(host: TestHost) -> None:
    host.get("/api/version?one")
    assert "GET /api/version 200" in of_requests(host)
    set_to(host, logHttp=False)
    host.host.logs.flush()
    before = of_requests(host)
    host.get("/api/version?two")
    assert of_requests(host) == before
    set_to(host, logHttp=True)
    host.get("/api/version?three")
    assert len(of_requests(host)) > len(before)


def test_a_plugin_that_is_off_leaves_the_level_to_the_operator(host: TestHost) -> None:
    host.disable("diagnostics")
    assert not host.host.logs.access_enabled
    host.enable("diagnostics")
    assert host.host.logs.access_enabled


def test_listeners_hear_of_records_from_a_level_on(host: TestHost) -> None:
    log = host.plugin("diagnostics").context.log
    with host.websocket("/ws") as connection:
        assert json.loads(connection.recv(timeout=60))["type"] == "connection:established"
        log.error("nobody hears of it")
        host.host.logs.flush()
        set_to(host, broadcastLogLevel="warn")
        log.info("too little")
        log.warning("pin=1234 is %s", "wrong")
        while "pin" not in (frame := json.loads(connection.recv(timeout=60)))["message"]:
            pass  # a busy host may have something to say of its own
        timestamp = frame.pop("timestamp")
        assert len(timestamp) == len("2026-05-01 12:00:00")
        assert frame == {
            "type": "log:message",
            "level": "warn",
            "message": "pin=<redacted> is wrong",
            "meta": {"plugin": "diagnostics"},
        }
        set_to(host, broadcastLogLevel="http")
        host.get("/api/version")
        asked = ("GET", "/api/version")
        while (frame := json.loads(connection.recv(timeout=60)))["level"] != "http" or (
            (frame["meta"]["method"], frame["meta"]["path"]) != asked
        ):
            pass  # of what was asked before, too
        set_to(host, broadcastLogLevel="off")
        host.host.logs.flush()
        log.error("nobody any more")
        host.host.logs.flush()
        host.plugin("diagnostics").context.realtime.broadcast({"type": "test:last"})
        while (frame := json.loads(connection.recv(timeout=60)))["type"] == "log:message":
            assert frame["message"] != "nobody any more"
        assert frame["type"] == "test:last"
