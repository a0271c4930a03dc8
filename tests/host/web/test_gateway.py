"""The outermost layer: ids, the access log, switching under running requests, faults of ours."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from host.logs import request_id
from host.plugins.gate import Gate
from plugin_sdk import Request, Response, Route

PATH = "/api/plugins/x/do"


def opened(path: str, handler: Any, method: Any = "GET") -> Route:
    return Route(method, path, handler, access="open")


def test_every_answer_has_an_id_of_its_own(site):
    site.add("x", opened("/do", lambda r: {}), opened("/bad", lambda r: 1 / 0))
    replies = [
        site.get(PATH), site.get(PATH), site.ask("HEAD", PATH), site.ask("OPTIONS", PATH),
        site.get("/nothing"), site.post(PATH), site.get("/api/plugins/x/bad"),
        site.get(PATH, host="evil.example"), site.get(PATH, X_Request_Id="mine"),
    ]  # fmt: skip
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert len(set(ids)) == len(ids)
    assert all(len(each) == 16 and int(each, 16) for each in ids)
    assert request_id.get() == ""


def test_the_access_log_is_told_of_every_answer(site):
    site.add("x", opened("/do", lambda r: {"a": 1}))
    site.get(PATH + "?token=secret", token="alice", peer="192.0.2.9")
    site.get("/nothing")
    site.post(PATH)
    site.get(PATH, host="evil.example")
    assert [(r.method, r.path, r.status, r.plugin_id) for r in site.records] == [
        ("GET", PATH, 200, "x"),
        ("GET", "/nothing", 404, ""),
        ("POST", PATH, 405, "x"),
        ("GET", PATH, 403, "x"),
    ]
    site.get("/%C3%BC")
    assert site.records[-1].path == "/ü"
    first = site.records[0]
    assert (first.principal_id, first.peer, first.size) == ("profile-1", "192.0.2.9", 7)
    assert first.duration > 0


def test_a_log_that_fails_costs_no_answer(site):
    site.add("x", opened("/do", lambda r: {}))
    site.on_request = lambda record: 1 / 0
    site.__post_init__()
    site.add("x", opened("/do", lambda r: {}))
    assert site.get(PATH).status == 200
    assert "access log" in site.log.messages[0]


def test_a_fault_of_ours_is_answered_and_logged(site, monkeypatch):
    site.add("x", opened("/do", lambda r: {}))

    def broken(*_args: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(type(site.layer.gateway.table), "find", broken)
    # the table's `find` was bound when the app was made
    site.publish(site.catalog)
    reply = site.get(PATH)
    assert reply.status == 500
    assert b"secret" not in reply.body
    record = site.log.records[0]
    assert record.incident == reply.json["incident"]
    assert request_id.get() == ""


def test_requests_that_run_keep_what_they_began_with(site):
    inside, go = threading.Event(), threading.Event()

    def slow(_request: Request) -> Any:
        inside.set()
        assert go.wait(20)
        return {"old": True}

    published = site.add("x", opened("/do", slow))
    replies: list[Any] = []
    thread = threading.Thread(target=lambda: replies.append(site.get(PATH)))
    thread.start()
    assert inside.wait(20)
    site.remove("x")
    assert site.get(PATH).status == 404
    assert published.gate.inside == 1
    go.set()
    thread.join(20)
    assert replies[0].json == {"old": True}
    assert published.gate.inside == 0


def test_a_request_that_meets_a_switch_asks_the_new_catalog(site):
    """It found the old version, which went before it came to the gate."""

    class Closing(Gate):
        def enter(self, *, slot: bool = True, wake: object = None) -> None:
            if not self.closed:
                site.add("x", opened("/do", lambda r: "new"))
                self.close()
            super().enter(slot=slot)

    gate = Closing("x", site.slots)
    site.add("x", opened("/do", lambda r: "old"), gate=gate)
    assert site.get(PATH).json == "new"
    assert gate.inside == 0
    assert len(site.records) == 1


def test_a_request_that_meets_the_end_of_a_plugin_finds_nothing(site):
    class Closing(Gate):
        def enter(self, *, slot: bool = True, wake: object = None) -> None:
            site.remove("x")
            self.close()
            super().enter(slot=slot)

    site.add("x", opened("/do", lambda r: "old"), gate=Closing("x", site.slots))
    assert site.get(PATH).status == 404


def test_a_closed_gate_without_a_switch_is_503(site):
    published = site.add("x", opened("/do", lambda r: {}))
    published.gate.close()
    reply = site.get(PATH)
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_switching_under_load_fails_no_request(site):
    """Readers on several threads while plugins come, go and are replaced."""
    site.add("stay", opened("/do", lambda r: {"n": 1}))
    stop, failures = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            reply = site.get("/api/plugins/stay/do")
            if reply.status != 200:
                failures.append(reply)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        old = site.catalog.plugins.get("stay")
        site.add("other", opened("/do", lambda r: {}))
        site.remove("other")
        if turn % 3 == 0:
            site.add("stay", opened("/do", lambda r: {"n": 2}))
            old.gate.close()
            assert old.gate.wait_idle(20)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert failures == []


def test_answers_obey_pep_3333(make_site, tmp_path: Path):
    site = make_site(strict=True)
    (tmp_path / "f.txt").write_bytes(b"0123456789")
    site.add(
        "x",
        opened("/do", lambda r: {"a": 1}),
        opened("/none", lambda r: None),
        opened("/file", lambda r: Response.file(tmp_path / "f.txt")),
        opened("/stream", lambda r: Response.stream([b"a", b"b"])),
        opened("/body", lambda r: r.json(), "POST"),
        opened("/bad", lambda r: 1 / 0),
    )
    base = "/api/plugins/x"
    for name in ("do", "none", "file", "stream", "bad", "nothing"):
        for method in ("GET", "HEAD", "POST"):
            site.ask(method, f"{base}/{name}")
    assert site.get(f"{base}/file", Range="bytes=2-3").body == b"23"
    assert site.post(f"{base}/body", body=b"[1]", Content_Type="x/y").json == [1]
    assert site.get(base, host="evil.example").status == 403
    assert [m for m in site.log.messages if "in the host" in m] == []


@pytest.mark.parametrize("missing", ["REMOTE_ADDR", "QUERY_STRING", "SERVER_NAME"])
def test_servers_that_say_less(site, missing):
    site.add("x", opened("/do", lambda r: [r.peer, r.host]))
    environ = site.environ("GET", PATH)
    del environ[missing]
    assert site.call(environ).status == 200
