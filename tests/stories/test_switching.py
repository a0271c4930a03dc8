"""Plugins are switched under load, and nobody else notices."""

from __future__ import annotations

import http.client
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

GOOD = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("GET", "/hello", access="open")
        def hello(self, request):
            return {"hello": "world"}
"""

SLEEPER = """
    import threading
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        def enable(self):
            self.wake = threading.Event()

        def disable(self):
            self.wake.set()

        @route("GET", "/sleep", access="open")
        def sleep(self, request):
            self.wake.wait(120)
            return "woke"
"""


def keep_asking(url: str, path: str, stop: threading.Event, statuses: Counter[int]) -> None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    while not stop.is_set():
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        statuses[reply.status] += 1
    connection.close()


def test_switching_one_plugin_under_load_fails_no_request(make_host, write_plugin, wait_until):
    host = make_host(write_plugin("steady", GOOD), write_plugin("blinking", GOOD))
    stop = threading.Event()
    steady: Counter[int] = Counter()
    blinking: Counter[int] = Counter()
    clients = [
        threading.Thread(
            target=keep_asking, args=(host.url, f"/api/plugins/{name}/hello", stop, seen)
        )
        for name, seen in [("steady", steady), ("blinking", blinking)]
        for _ in range(4)
    ]
    for client in clients:
        client.start()
    try:
        for turn in range(20):
            if not turn:
                wait_until(lambda: steady[200] and blinking[200])
            assert host.post("/api/plugins/blinking/disable").json()["state"] == "disabled"
            if not turn:
                wait_until(lambda: blinking[404])
            assert host.post("/api/plugins/blinking/enable").json()["state"] == "active"
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert set(steady) == {200}
    assert set(blinking) == {200, 404}


@pytest.mark.one_engine
def test_a_plugin_that_blocks_every_call_it_may_have_holds_up_nobody(
    make_host, write_plugin, monkeypatch
):
    monkeypatch.setattr("host.server.waiting.LONGEST_WAIT_SECONDS", 1.0)
    host = make_host(write_plugin("sleeper", SLEEPER), write_plugin("steady", GOOD))
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(host.get("/api/plugins/sleeper/sleep", timeout=150).status)

    clients = [threading.Thread(target=ask) for _ in range(40)]
    for client in clients:
        client.start()
    gate = host.host.manager.catalog.plugins["sleeper"].gate
    allowed = host.host.slots.per_plugin
    deadline = time.monotonic() + 80
    while gate.inside < allowed or statuses.count(503) < 40 - allowed:
        assert time.monotonic() < deadline
        assert host.get("/api/health").status == 200
        assert host.get("/api/plugins/steady/hello").status == 200
    refused = host.get("/api/plugins/sleeper/sleep", timeout=150)
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    host.plugin("sleeper").wake.set()
    for client in clients:
        client.join()
    assert Counter(statuses) == {200: allowed, 503: 40 - allowed}


@pytest.mark.one_engine
def test_requests_inside_finish_undisturbed_when_their_plugin_is_disabled(
    make_host, write_plugin, wait_until
):
    settings = {"plugin_admin": {"drainSeconds": 120}}
    host = make_host(write_plugin("sleeper", SLEEPER), settings=settings)
    sleeper = host.plugin("sleeper")
    gate = host.host.manager.catalog.plugins["sleeper"].gate
    path = "/api/plugins/sleeper/sleep"
    with ThreadPoolExecutor(2) as pool:
        try:
            reply = pool.submit(host.get, path, timeout=150)
            wait_until(lambda: gate.inside)
            disabled = pool.submit(host.disable, "sleeper")
            wait_until(lambda: gate.closed)
            assert host.get(path).status == 404
            assert not reply.done()
            assert not disabled.done()
        finally:
            sleeper.wake.set()
        assert reply.result().json() == "woke"
        assert disabled.result().state == "disabled"


def test_nothing_is_left_of_a_disabled_plugin(make_host, write_plugin):
    code = """
        import threading
        from plugin_sdk import Plugin, event_handler, job, route, websocket

        class plugin(Plugin):
            def enable(self):
                self.stopped = threading.Event()
                self.thread = threading.Thread(target=self.stopped.wait, name="of-many")
                self.thread.start()
                self.context.services.offer("many.thing", self)

            def disable(self):
                self.stopped.set()
                self.thread.join()

            @route("GET", "/hello", access="open")
            def hello(self, request): return 1

            @websocket("/socket", access="open")
            def socket(self, connection): connection.send("hi")

            @job("work", every=3600)
            def work(self, run): pass

            @event_handler("host.plugin_disabled")
            def heard(self, event): pass
    """
    host = make_host(write_plugin("many", code, capabilities=["websocket"]))
    with host.websocket("/api/plugins/many/socket") as socket:
        assert socket.recv(timeout=30) == "hi"
        host.disable("many")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    assert "of-many" not in [thread.name for thread in threading.enumerate()]
    assert "many" not in host.host.manager.catalog.plugins
    assert all(owner != "many" for owner, _, _ in host.host.hooks.implementations("enable"))
    assert not any("/many/" in path for path in host.get("/api/openapi.json").json()["paths"])
    assert not any("_many" in name for name in sys.modules if name.startswith("_stagebox_plugin_"))


def test_two_hosts_in_one_process_do_not_see_each_other(make_host, write_plugin, tmp_path):
    code = """
        from plugin_sdk import Plugin, route
        class plugin(Plugin):
            @route("GET", "/value", access="open")
            def value(self, request): return {"value": self.context.data.get("value")}
            @route("POST", "/value", access="open")
            def store(self, request): self.context.data.set("value", request.json())
    """
    folder = write_plugin("keeper", code)
    one = make_host(folder, data_dir=tmp_path / "one")
    two = make_host(folder, data_dir=tmp_path / "two")
    one.post("/api/plugins/keeper/value", json="of one")
    assert two.get("/api/plugins/keeper/value").json() == {"value": None}
    two.disable("keeper")
    assert one.get("/api/plugins/keeper/value").json() == {"value": "of one"}


def test_a_disabled_plugin_is_never_imported(make_host, write_plugin, tmp_path):
    mark = tmp_path / "imported"
    folder = write_plugin("quiet", f"open({str(mark)!r}, 'w').close()")
    host = make_host()
    write_plugin("quiet", (folder / "__init__.py").read_text(), into=host.data_dir / "plugins")
    assert host.get("/api/plugins/quiet").json()["state"] == "disabled"
    host.restart()
    assert host.entry("quiet").state == "disabled"
    assert not mark.exists()


def test_a_burst_beyond_what_a_plugin_may_have_waits_its_turn(make_host, write_plugin, monkeypatch):
    monkeypatch.setattr("host.server.waiting.LONGEST_WAIT_SECONDS", 60.0)
    code = """
        import threading
        from plugin_sdk import Plugin, route

        class plugin(Plugin):
            @route("POST", "/add", access="open")
            def add(self, request):
                with self.context.data.transaction():
                    threading.Event().wait(0.002)
                    self.context.data.set("sum", self.context.data.get("sum", 0) + request.json())
                return {"sum": self.context.data.get("sum")}
    """
    host = make_host(write_plugin("busy", code))
    statuses: list[int] = []

    def add() -> None:
        statuses.append(host.post("/api/plugins/busy/add", json=1).status)

    clients = [threading.Thread(target=add) for _ in range(50)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert statuses == [200] * 50
    assert host.post("/api/plugins/busy/add", json=0).json() == {"sum": 50}


def test_those_who_wait_for_a_plugin_that_goes_learn_it(make_host, write_plugin):
    host = make_host(write_plugin("sleeper", SLEEPER))
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(host.get("/api/plugins/sleeper/sleep", timeout=150).status)

    gate = host.host.manager.catalog.plugins["sleeper"].gate
    allowed = host.host.slots.per_plugin
    clients = [threading.Thread(target=ask) for _ in range(allowed + 4)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 60
    while gate.inside < allowed or len(gate._queue) + statuses.count(503) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    host.plugin("sleeper").wake.set()
    assert host.disable("sleeper").state == "disabled"
    for client in clients:
        client.join()
    assert statuses.count(200) >= allowed
    assert set(statuses) <= {200, 404, 503}
