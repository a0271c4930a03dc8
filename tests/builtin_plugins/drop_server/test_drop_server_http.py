"""The drop server as clients meet it: through a real host."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.drop_server import plugin as DropServer
from builtin_plugins.drop_server.answers import after, conditional
from host.testing import TestHost
from plugin_sdk import Headers

BOX = "/drops/" + "a" * 43
CLIENT = {"Authorization": "Client Qabel", "Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestHost]:
    with TestHost(tmp_path_factory.mktemp("drop-server")) as host:
        host.enable("drop_server")
        yield host


@pytest.fixture
def box() -> str:
    return "/drops/" + os.urandom(22).hex()[:43]


def put(host: TestHost, path: str, body: bytes) -> None:
    answer = host.post(path, content=body, headers=CLIENT)
    assert (answer.status, answer.content) == (200, b"")


def bodies(answer: Any) -> list[bytes]:
    """What the parts hold, by the rule of the contract (7.1)."""
    assert answer.status == 200
    kind, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/mixed"
    delimiter = b"\r\n--" + boundary.strip('"').encode()
    pieces = (b"\r\n" + answer.content).split(delimiter)
    assert pieces[0] == b""
    assert pieces[-1].startswith(b"--")
    return [piece.partition(b"\r\n\r\n")[2] for piece in pieces[1:-1]]


def test_an_empty_box_has_nothing(host: TestHost, box: str) -> None:
    for method in ("GET", "HEAD"):
        answer = host.request(method, box)
        assert (answer.status, answer.content) == (204, b"")
        assert "content-type" not in answer.headers
        conditional = host.request(method, box, headers={"X-Qabel-New-Since": "0"})
        assert conditional.status == 304


def test_messages_stay_in_their_order(host: TestHost, box: str) -> None:
    sent = [b"first", b"\r\n--x\r\n\r\n\0\xff", b"third\r\n"]
    for each in sent:
        put(host, box, each)
    for _ in range(2):
        answer = host.get(box)
        assert bodies(answer) == sent
        assert answer.headers["cache-control"] == "no-store"
    head = host.head(box)
    assert head.status == 200
    assert head.content == b""
    for name in ("x-qabel-latest", "last-modified"):
        assert head.headers[name] == answer.headers[name]
    assert head.headers["content-type"].startswith("multipart/mixed")


def test_polling_with_the_last_value_misses_and_repeats_nothing(host: TestHost, box: str) -> None:
    seen: list[bytes] = []
    headers: dict[str, str] = {}
    for number in range(8):
        put(host, box, b"message %d" % number)
        answer = host.get(box, headers=headers)
        seen += bodies(answer)
        headers = {"X-Qabel-New-Since": answer.headers["x-qabel-latest"]}
        assert host.get(box, headers=headers).status == 304
        assert host.head(box, headers=headers).status == 304
    assert seen == [b"message %d" % number for number in range(8)]


def test_dates_have_whole_seconds(host: TestHost, box: str) -> None:
    put(host, box, b"one")
    modified = host.get(box).headers["last-modified"]
    assert bodies(host.get(box, headers={"If-Modified-Since": modified})) == [b"one"]
    later = formatdate(4_000_000_000, usegmt=True)
    assert host.get(box, headers={"If-Modified-Since": later}).status == 304


def test_a_date_without_a_zone_is_in_universal_time() -> None:
    seconds = 1_700_000_000
    for zone in ("GMT", "-0000", "+0000"):
        date = f"Tue, 14 Nov 2023 22:13:20 {zone}"
        headers = Headers({"If-Modified-Since": date})
        assert conditional(headers) == seconds * 1_000_000 - 1


def test_conditions_that_mean_nothing_are_ignored(host: TestHost, box: str) -> None:
    put(host, box, b"one")
    later = formatdate(4_000_000_000, usegmt=True)
    for headers in (
        {"X-Qabel-New-Since": "9999999999", "If-Modified-Since": later},
        {"X-Qabel-New-Since": "-1"},
        {"X-Qabel-New-Since": "1e99"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert bodies(host.get(box, headers=headers)) == [b"one"]


def test_what_is_refused(host: TestHost, box: str) -> None:
    def code(path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        answer = host.post(path, content=body, headers=headers)
        return answer.status, answer.json()["error"]

    assert code("/drops/abc", b"", {}) == (400, "INVALID_DROP_ID")
    assert code(box, b"", {}) == (400, "BAD_AUTHORIZATION")
    assert code(box, b"x", {"Authorization": "Client Other"}) == (400, "BAD_AUTHORIZATION")
    assert code(box, b"", CLIENT) == (400, "NO_MESSAGE")
    assert code(box, b"x" * 2574, CLIENT) == (413, "PAYLOAD_TOO_LARGE")
    put(host, box, b"x" * 2573)
    for path in ("/drops", "/drops/", box + "/", box + "/x", "/drops/" + "%40" * 43):
        assert host.get(path).status == 404
    for method in ("PUT", "DELETE", "PATCH"):
        answer = host.request(method, box)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD, POST, OPTIONS"


@pytest.mark.parametrize("length", [2574, 100_000, 10**12])
def test_a_long_message_is_not_read_to_its_end(host: TestHost, box: str, length: int) -> None:
    """Its other faults come first, and are seen in its head."""

    def answer_to(path: str, header: str) -> bytes:
        address, _, port = host.server.addresses[0].rpartition(":")
        with socket.create_connection((address, int(port)), timeout=30) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: {length}"
            connection.sendall(f"{head}\r\n\r\n".encode() + b"x" * 1000)
            answer = b""
            while more := connection.recv(10_000):
                answer += more
            return answer

    client = "Authorization: Client Qabel\r\n"
    assert b'"INVALID_DROP_ID"' in answer_to("/drops/abc", "")
    assert b'"BAD_AUTHORIZATION"' in answer_to(box, "")
    answer = answer_to(box, client)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"PAYLOAD_TOO_LARGE"' in answer


def test_the_limit_follows_its_setting(host: TestHost, box: str) -> None:
    size = 1024 * 1024
    host.host.settings.update("drop_server", {"maxMessageBytes": size})
    try:
        put(host, box, b"x" * size)
        answer = host.post(box, content=b"x" * (size + 1), headers=CLIENT)
        assert (answer.status, answer.json()["error"]) == (413, "PAYLOAD_TOO_LARGE")
    finally:
        host.host.settings.update("drop_server", {"maxMessageBytes": None})


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json", "application/x-www-form-urlencoded", "x"]
)
def test_a_message_may_call_itself_anything(host: TestHost, box: str, content_type: str) -> None:
    headers = {**CLIENT, "Content-Type": content_type}
    assert host.post(box, content=b"{", headers=headers).status == 200
    assert bodies(host.get(box)) == [b"{"]


def test_parallel_posts_all_arrive(host: TestHost, box: str) -> None:
    sent = [b"message %d" % number for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: put(host, box, body), sent))
    assert sorted(bodies(host.get(box))) == sorted(sent)


def test_only_the_newest_are_shown_and_kept(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    clock = tmp_path / "offset"
    env = {"STAGEBOX_TEST_CLOCK_OFFSET_FILE": str(clock)}
    settings = {"drop_server": {"maxMessagesPerBox": 3, "retentionDays": 1}}
    with TestHost(tmp_path / "data", settings=settings, env=env) as host:
        host.enable("drop_server")
        plugin = host.plugin("drop_server")
        assert isinstance(plugin, DropServer)
        # The job that runs at the start must not take away what is to go with the others.
        jobs = plugin.context.jobs
        wait_until(lambda: [each.state for each in jobs.list(name="prune")] == ["succeeded"])
        for number in range(5):
            put(host, BOX, b"%d" % number)
        assert bodies(host.get(BOX)) == [b"2", b"3", b"4"]
        assert plugin._messages.prune() == 2
        assert plugin.diagnostics() == {"boxes": 1, "messages": 3, "bytes": 3}
        before = host.get(BOX).headers["x-qabel-latest"]
        clock.write_text("100000")
        assert host.get(BOX).status == 204
        plugin._messages.prune()  # should the job not have been here: by that clock it is time
        assert plugin.diagnostics()["messages"] == 0
        clock.write_text("-100000")  # the clock goes back, the order does not
        put(host, BOX, b"5")
        clock.write_text("0")
        answer = host.get(BOX, headers={"X-Qabel-New-Since": before})
        assert bodies(answer) == [b"5"]


def test_it_is_off_until_an_administrator_enables_it(tmp_path: Path) -> None:
    with TestHost(tmp_path / "data") as host:
        assert host.get(BOX).status == 404


@given(st.integers(0, 10**15), st.integers(0, 10**9))
def test_values_are_compared_exactly(latest: int, fraction: int) -> None:
    text = f"{latest // 10**6}.{latest % 10**6:06d}"
    assert after(text) == latest
    assert after(f"{text}{fraction}") == latest
