"""Several processes behind one port: `--server granian`."""

from __future__ import annotations

import json
import os
import signal
import socket
import textwrap
import threading
import time

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from tests.ports import free_ports

CODE = """
    import os
    import time
    from plugin_sdk import Event, Plugin, Response, event_handler, job, migration, route, websocket

    SCHEMA = {"type": "object"}

    class plugin(Plugin):
        @migration("001")
        def tables(self, db):
            db.table("heard").create({"id": "integer", "number": "integer"}, pk="id")
            db.table("starts").create({"id": "integer", "pid": "integer"}, pk="id")

        @route("GET", "/who", access="open")
        def who(self, request):
            return {"pid": os.getpid(), "name": self.context.settings["name"], "version": 1}

        @route("GET", "/say/{word}", access="open")
        def say(self, request):
            return [request.params["word"], request.query.get("q"), request.peer, request.host]

        @route("POST", "/body", access="open", body=SCHEMA, max_body=1000)
        def body(self, request):
            return request.body

        @route("POST", "/raw", access="open", consumes=["*/*"], max_body=1000)
        def raw(self, request):
            return len(request.read())

        @route("GET", "/slow", access="open")
        def slow(self, request):
            self.context.data.set("slow", True)
            time.sleep(1.5)
            return "done"

        @route("GET", "/begun", access="open")
        def begun(self, request):
            return self.context.data.get("slow", False)

        @route("GET", "/stream", access="open")
        def stream(self, request):
            def chunks():
                try:
                    while True:
                        yield b"x" * 65536
                finally:
                    self.context.data.set("ended", os.getpid())
            return Response.stream(chunks(), "application/octet-stream")

        @route("GET", "/ended", access="open")
        def ended(self, request):
            return self.context.data.get("ended")

        @route("GET", "/film", access="open")
        def file(self, request):
            return Response.file(self.context.blobs.get("file"))

        @route("PUT", "/film", access="open")
        def store(self, request):
            self.context.blobs.put("file", bytes(range(256)) * 4000, "audio/mpeg")

        @route("POST", "/emit/{number}", access="open")
        def emit(self, request):
            self.context.events.emit("worker.counted", {"n": int(request.params["number"])})

        @event_handler("worker.counted")
        def counted(self, event):
            self.context.db.table("heard").insert({"number": event.data["n"]})

        @route("GET", "/heard", access="open")
        def heard(self, request):
            return [row["number"] for row in self.context.db.table("heard").rows_where()]

        @job("first", at_start=True)
        def first(self, run):
            self.context.db.table("starts").insert({"pid": os.getpid()})

        @route("GET", "/starts", access="open")
        def starts(self, request):
            return self.context.db.table("starts").count_where()

        @route("POST", "/say/{word}", access="open")
        def broadcast(self, request):
            word = request.params["word"]
            self.context.realtime.broadcast({"type": "worker:said", "word": word})
            return os.getpid()

        @websocket("/echo", access="open")
        def echo(self, connection):
            connection.send(str(os.getpid()))
            connection.on_message(connection.send)
"""
MANIFEST = {
    "capabilities": ["db", "blobs", "realtime", "websocket"],
    "settings": {"type": "object", "properties": {"name": {"type": "string", "default": "a"}}},
}
BASE = "/api/plugins/worker"


def fleet_options():
    """The second port is a known one: what the system gives for 0 it may give to another program
    before a worker listens there."""
    (port,) = free_ports(1)
    return ("--server", "granian", "--workers", "2", "--websocket-port", str(port))


@pytest.fixture(scope="module")
def bundled():
    """What these stories ask for: starting the others takes most of the time."""
    return {"local_storage", "local_api", "realtime", "plugin_admin"}


@pytest.fixture(scope="module")
def common(tmp_path_factory, served_in, database_engine):
    """One fleet for all stories that leave it standing."""
    folder = tmp_path_factory.mktemp("fleet")
    served = served_in(folder / "served", *fleet_options()).start()
    add_worker(served, folder)
    yield served
    served.kill()


@pytest.fixture
def fleet(common):
    """With the plugin switched on, whatever the story before did."""
    if ask(common, "/who").status_code != 200:
        assert common.command("plugin", "enable", "worker").returncode == 0
    in_all(common, lambda answer: answer.status_code == 200)
    return common


@pytest.fixture
def mortal(served_in, tmp_path):
    """A fleet that a story stops or kills."""
    served = served_in(tmp_path / "served", *fleet_options()).start()
    add_worker(served, tmp_path)
    yield served
    if served.process.poll() is None:
        served.kill()


def add_worker(served, folder):
    package = write_worker(folder / "v1")
    assert served.command("plugin", "install", package, "--yes").returncode == 0
    enabled = served.command("plugin", "enable", "worker")
    assert enabled.returncode == 0, enabled.stderr
    in_all(served, lambda answer: answer.status_code == 200)


def write_worker(folder, code=CODE, version="1.0.0"):
    package = folder / "worker"
    package.mkdir(parents=True)
    manifest = {"id": "worker", "name": "Worker", "version": version, "sdk": ">=1,<2", **MANIFEST}
    (package / "plugin.json").write_text(json.dumps(manifest))
    (package / "__init__.py").write_text(textwrap.dedent(code))
    return str(package)


def ask(served, path, method="GET", **options):
    """On a connection of its own, so that any worker may answer."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        return client.request(method, served.url + BASE + path, **options)


def socket_url(served):
    health = httpx.get(served.url + "/api/health", trust_env=False, timeout=30)
    return health.headers["stagebox-websocket"]


def connected(url):
    return connect(url, compression=None, open_timeout=60)


def in_all(served, wanted, count=30, seconds=60):
    """Waits until many answers in a row, by all workers, are as wanted."""
    deadline, row = time.monotonic() + seconds, 0
    while row < count:
        row = row + 1 if wanted(ask(served, "/who")) else 0
        assert time.monotonic() < deadline
    return True


def workers(served):
    return {ask(served, "/who").json()["pid"] for _ in range(60)}


def test_all_workers_answer_and_follow_switches_settings_and_upgrades(mortal, tmp_path):
    assert ask(mortal, "/starts").json() == 1
    assert len(workers(mortal)) == 2
    assert mortal.command("settings", "set", "worker", "name", "b").returncode == 0
    in_all(mortal, lambda answer: answer.json()["name"] == "b")
    newer = CODE.replace('"version": 1', '"version": 2')
    package = write_worker(tmp_path / "v2", newer, "2.0.0")
    upgraded = mortal.command("plugin", "install", package, "--yes")
    assert upgraded.returncode == 0, upgraded.stderr
    in_all(mortal, lambda answer: answer.json()["version"] == 2)
    assert len(workers(mortal)) == 2
    assert mortal.command("plugin", "disable", "worker").returncode == 0
    in_all(mortal, lambda answer: answer.status_code == 404)
    assert mortal.command("plugin", "enable", "worker").returncode == 0
    in_all(mortal, lambda answer: answer.status_code == 200)
    assert mortal.stop() == 0


def test_a_switch_over_http_reaches_the_other_worker(fleet):
    client = httpx.Client(base_url=fleet.url, trust_env=False, timeout=30)
    with client:
        assert client.post("/api/plugins/worker/disable").json()["state"] == "disabled"
        in_all(fleet, lambda answer: answer.status_code == 404)
        assert client.post("/api/plugins/worker/enable").json()["state"] == "active"
        in_all(fleet, lambda answer: answer.status_code == 200)


def test_requests_arrive_as_with_the_other_server(fleet):
    word = ask(fleet, "/say/gr%C3%BC%E2%82%AC%20n?q=%C3%A4+b").json()
    assert word == ["grü€ n", "ä b", "127.0.0.1", fleet.url.removeprefix("http://")]
    assert httpx.get(fleet.url + "//api/health", trust_env=False, timeout=30).status_code == 200
    refused = httpx.get(
        fleet.url + "/api/health", headers={"Host": "evil.example"}, trust_env=False, timeout=30
    )
    assert refused.status_code == 403
    assert refused.json()["message"] == "Host not allowed"


def test_bodies_are_capped_and_errors_have_the_host_s_shape(fleet):
    assert ask(fleet, "/body", "POST", json={"a": 1}).json() == {"a": 1}
    assert ask(fleet, "/raw", "POST", content=b"x" * 1000).json() == 1000
    large = ask(fleet, "/body", "POST", content=b"{" + b" " * 5_000_000 + b"}")
    assert (large.status_code, large.json()["error"]) == (413, "PAYLOAD_TOO_LARGE")
    chunked = ask(fleet, "/raw", "POST", content=(b"x" * 100 for _ in range(20)))
    assert (chunked.status_code, chunked.json()["error"]) == (413, "PAYLOAD_TOO_LARGE")
    unusable = ask(
        fleet, "/body", "POST", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert (unusable.status_code, unusable.json()["error"]) == (400, "INVALID_REQUEST")
    wrong = ask(fleet, "/who", "DELETE")
    assert (wrong.status_code, wrong.json()["error"]) == (405, "METHOD_NOT_ALLOWED")
    assert wrong.headers["x-content-type-options"] == "nosniff"


def test_files_ranges_and_heads(fleet):
    assert ask(fleet, "/film", "PUT").status_code == 204
    whole = ask(fleet, "/film")
    assert whole.content == bytes(range(256)) * 4000
    part = ask(fleet, "/film", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    head = ask(fleet, "/film", "HEAD")
    assert (head.headers["content-length"], head.content) == ("1024000", b"")
    again = ask(fleet, "/film", headers={"If-None-Match": whole.headers["etag"]})
    assert again.status_code == 304


def test_a_client_that_leaves_ends_its_stream(fleet, wait_until):
    with httpx.stream("GET", fleet.url + BASE + "/stream", trust_env=False, timeout=30) as answer:
        next(answer.iter_bytes())
    wait_until(lambda: ask(fleet, "/ended").json())
    disabled = fleet.command("plugin", "disable", "worker")  # waits for what is in flight
    assert disabled.returncode == 0, disabled.stderr


def test_websockets_have_a_port_of_their_own(fleet):
    health = httpx.get(fleet.url + "/api/health", trust_env=False, timeout=30)
    url = health.headers["stagebox-websocket"]
    assert set(health.json()) == {"status", "version", "timestamp", "exposeOnLan"}
    elsewhere = ask(fleet, "/echo", headers={"Upgrade": "websocket", "Connection": "Upgrade"})
    assert (elsewhere.status_code, elsewhere.json()["error"]) == (426, "UPGRADE_REQUIRED")
    assert elsewhere.headers["stagebox-websocket"] == url
    assert url in elsewhere.json()["message"]
    with connected(url + BASE + "/echo") as connection:
        assert int(connection.recv(timeout=30)) in workers(fleet)
        connection.send("hello")
        assert connection.recv(timeout=30) == "hello"
        assert fleet.command("plugin", "disable", "worker").returncode == 0
        with pytest.raises(ConnectionClosed, match="1001"):
            connection.recv(timeout=30)


def test_what_any_worker_broadcasts_the_sockets_hear_once(fleet):
    url = socket_url(fleet)
    with connected(url + "/ws") as connection:
        assert json.loads(connection.recv(timeout=30))["type"] == "connection:established"
        speakers = [ask(fleet, f"/say/{number}", "POST").json() for number in range(40)]
        assert len(set(speakers)) == 2
        words = [json.loads(connection.recv(timeout=30))["word"] for _ in range(40)]
    assert sorted(words, key=int) == [str(number) for number in range(40)]
    for speaker in set(speakers):
        mine = [str(number) for number, each in enumerate(speakers) if each == speaker]
        assert [word for word in words if word in mine] == mine


def test_events_are_handled_once(fleet, wait_until):
    clients = [
        threading.Thread(
            target=lambda first=first: [
                ask(fleet, f"/emit/{number}", "POST") for number in range(first, first + 10)
            ]
        )
        for first in (0, 10, 20, 30)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    wait_until(lambda: len(ask(fleet, "/heard").json()) >= 40)
    assert sorted(ask(fleet, "/heard").json()) == list(range(40))


def test_a_request_under_way_is_finished_at_the_stop(mortal, wait_until):
    answers = []
    client = threading.Thread(target=lambda: answers.append(ask(mortal, "/slow").json()))
    client.start()
    wait_until(lambda: ask(mortal, "/begun").json())
    assert mortal.stop() == 0
    client.join()
    assert answers == ["done"]
    assert "Traceback" not in mortal.errors()


def test_a_worker_that_dies_is_replaced_also_for_websockets(mortal, wait_until):
    url = socket_url(mortal)
    with connected(url + BASE + "/echo") as connection:
        victim = int(connection.recv(timeout=30))
    before = workers(mortal)
    os.kill(victim, signal.SIGKILL)

    def taken_over():
        try:
            with connected(url + BASE + "/echo") as connection:
                return int(connection.recv(timeout=30)) != victim
        except (OSError, WebSocketException):
            return False

    wait_until(taken_over)
    seen = []

    def two_again():
        seen.append(_living(mortal))
        return len(seen[-1] - {victim}) == 2

    wait_until(two_again, seconds=60)
    assert victim not in seen[-1]
    assert before - {victim} <= seen[-1]
    assert mortal.stop() == 0


def _living(served):
    try:
        return workers(served)
    except httpx.TransportError:  # what was in the dead worker's queue
        return set()


def test_workers_end_with_their_supervisor(mortal, wait_until):
    pids = workers(mortal)
    mortal.kill()
    wait_until(lambda: not any(_runs(pid) for pid in pids))


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_address_in_use_is_said(fleet):
    address = fleet.url.removeprefix("http://")
    answer = fleet.command("serve", "--server", "granian", "--listen", address)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert address in answer.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        options = ["--listen", "127.0.0.1:0", "--websocket-port", port]
        answer = fleet.command("serve", "--server", "granian", *options)
    assert (answer.returncode, len(answer.stderr.splitlines())) == (1, 1)
    assert port in answer.stderr
    two = ["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]
    answer = fleet.command("serve", "--server", "granian", *two)
    assert answer.stderr == "The server granian listens at one address.\n"
