"""The log through a real host (media contract, 5.10)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host.testing import TestHost


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("log") / "data") as host:
        yield host


@pytest.fixture
def host(shared_host: TestHost) -> TestHost:
    """The module's, with an empty log."""
    shared_host.delete("/api/v1/logs")
    return shared_host


def logged(host: TestHost, *texts: str) -> None:
    for text in texts:
        host.plugin("diagnostics").context.log.info("%s", text)
    host.host.logs.flush()


def records(host: TestHost, query: str = "") -> list[dict[str, Any]]:
    host.host.logs.flush()
    answer = host.get("/api/v1/logs" + query)
    assert answer.status == 200
    assert answer.headers["x-api-version"] == "0.3.0"
    body = answer.json()
    assert body["success"] is True
    found: list[dict[str, Any]] = body["data"]
    return found


def test_the_newest_records_first(host: TestHost) -> None:
    logged(host, "one", "two", "\x1b[31mthree\x1b[0m")
    found = records(host, "?level=info")  # the host may have something to say of its own
    first, second, third = [each for each in found if each["meta"] == {"plugin": "diagnostics"}]
    assert [each["message"] for each in (first, second, third)] == ["three", "two", "one"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first["timestamp"])
    assert first["level"] == "info"
    assert len(records(host, "?limit=2&level=info")) == 2


def test_requests_are_in_the_log(host: TestHost) -> None:
    host.get("/api/version?token=secret")
    [record] = [each for each in records(host, "?level=http") if "/api/version" in each["message"]]
    meta = record["meta"]
    assert (meta["method"], meta["path"], meta["status"]) == ("GET", "/api/version", 200)
    assert meta["durationMs"] >= 0
    assert meta["requestId"]
    assert "secret" not in json.dumps(record)


def test_the_level_is_filtered_before_the_limit(host: TestHost) -> None:
    host.plugin("diagnostics").context.log.error("it broke")
    logged(host, *(f"line {n}" for n in range(300)))
    assert [each["message"] for each in records(host, "?level=error&limit=1")] == ["it broke"]
    assert len(records(host)) == 100
    assert len(records(host, "?limit=500")) >= 301


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("level=warning", "level"),
        ("level=INFO", "level"),
    ],
)
def test_bad_queries(host: TestHost, query: str, field: str) -> None:
    answer = host.get("/api/v1/logs?" + query)
    body = answer.json()
    assert (answer.status, body["success"], body["error"]) == (400, False, "Validation failed")
    assert [each["field"] for each in body["details"]] == [field]
    assert body["message"] == body["details"][0]["message"]
    assert field in body["message"]


@pytest.mark.parametrize("query", ["limit=%20500", "limit=+7%09&level=%20info%20", "else=1&else=2"])
def test_queries_are_trimmed(host: TestHost, query: str) -> None:
    assert host.get("/api/v1/logs?" + query).status == 200


def test_other_errors_wear_the_envelope(host: TestHost) -> None:
    answer = host.get("/api/v1/logs/nothing")
    assert (answer.status, answer.json()) == (
        404,
        {
            "success": False,
            "error": "Route not found",
            "message": "Cannot GET /api/v1/logs/nothing",
        },
    )
    answer = host.post("/api/v1/logs")
    assert (answer.status, answer.json()["error"]) == (405, "Method not allowed")
    assert "GET" in answer.headers["allow"]


def test_clearing_the_log(host: TestHost) -> None:
    logged(host, "before")
    answer = host.delete("/api/v1/logs")
    assert answer.json() == {"success": True, "message": "Logs cleared successfully"}
    logged(host, "after")
    messages = [each["message"] for each in records(host)]
    assert "after" in messages
    assert "before" not in messages
    assert host.delete("/api/v1/logs/").status == 200
    assert "after" not in [each["message"] for each in records(host)]


def test_what_was_cleared_stays_so(make_host: Callable[..., TestHost]) -> None:
    host = make_host()
    logged(host, "before")
    host.delete("/api/v1/logs")
    host.restart()
    assert "before" not in [each["message"] for each in records(host)]


def test_a_long_log_is_read_as_far_as_needed(make_host: Callable[..., TestHost]) -> None:
    host = make_host()
    logged(host, "so that there is a file")
    file = host.data_dir / "logs" / "server.log"
    with file.open("a") as stream:
        for number in range(12_000):
            level = "warn" if number in (1000, 3000) else "debug"
            time = "2026-01-01T00:00:00.000Z"
            stream.write(json.dumps({"time": time, "level": level, "message": f"{number}"}) + "\n")
        stream.write("not json\n[]\n")

    def warned() -> list[str]:  # here; a host that waits for the machine may warn as well
        found = [each["message"] for each in records(host, "?level=warn")]
        return [message for message in found if message.isdigit()]

    assert warned() == ["3000"]  # of 10,000
    host.put("/api/plugins/diagnostics/config", json={"logKeep": 20_000})
    assert warned() == ["3000", "1000"]
    newest = records(host, "?limit=500&level=debug")
    assert [each["message"] for each in newest] == [str(n) for n in range(11_999, 11_499, -1)]
