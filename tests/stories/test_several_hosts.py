"""Two hosts on one PostgreSQL and one S3 store: what one does the other knows."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import contextmanager

import httpx
import pytest
from seaweed import weed
from websockets.sync.client import connect

__all__ = ["weed"]

pytestmark = [pytest.mark.one_engine, pytest.mark.timeout(240)]

CODE = """
    import os
    from plugin_sdk import Plugin, Response, event_handler, job, migration, route

    class plugin(Plugin):
        @migration("001")
        def tables(self, db):
            db.table("rows").create({"id": "integer", "number": "integer"}, pk="id")
            db.table("heard").create({"id": "integer", "number": "integer"}, pk="id")
            db.table("steps").create(
                {"id": "integer", "step": "integer", "pid": "integer"}, pk="id"
            )

        @route("POST", "/rows/{number}", access="open")
        def add(self, request):
            number = int(request.params["number"])
            with self.context.db.transaction():
                self.context.db.table("rows").insert({"number": number})
                self.context.events.emit("story.row_added", {"number": number})

        @event_handler("story.row_added")
        def row_added(self, event):
            self.context.db.table("heard").insert({"number": event.data["number"]})

        @route("GET", "/all/{table}", access="open")
        def rows(self, request):
            rows = self.context.db.table(request.params["table"]).rows_where(order_by="id")
            return [dict(row) for row in rows]

        @route("GET", "/mine", access="signed-in")
        def mine(self, request):
            return {"name": request.principal.name, "pid": os.getpid()}

        @route("POST", "/say/{word}", access="open")
        def say(self, request):
            self.context.realtime.broadcast(
                {"type": "story:said", "word": request.params["word"]}
            )

        @route("PUT", "/files/{name}", access="open", consumes=["*/*"], max_body=32 * 1024 * 1024)
        def put(self, request):
            self.context.blobs.put(request.params["name"], request.read(), "audio/mpeg")

        @route("GET", "/files/{name}", access="open")
        def file(self, request):
            return Response.file(self.context.blobs.get(request.params["name"]))

        @route("POST", "/tasks", access="open")
        def work(self, request):
            return self.context.jobs.start("walk").id

        @route("GET", "/tasks/{id}", access="open")
        def look(self, request):
            info = self.context.jobs.get(request.params["id"])
            return {"state": info.state, "result": info.result, "done": info.done,
                    "attempt": info.attempt}

        @job("walk")
        def walk(self, run):
            done = run.saved or 0
            while done < 60:
                done += 1
                self.context.db.table("steps").insert({"step": done, "pid": os.getpid()})
                run.save(done)
                run.progress(done, 60)
                while done == 30 and run.attempt == 1 and run.sleep(0.05):  # until it is killed
                    run.progress(done, 60)
                if not run.sleep(0.01):
                    return None
            return {"walked": done}
"""
MANIFEST = {"capabilities": ["db", "blobs", "realtime"]}
BASE = "/api/plugins/story"
STORAGE = "/api/plugins/providers/storage/active"


@pytest.fixture
def pair(serve, write_plugin, postgresql_url, weed, tmp_path):
    """Two hosts with folders of their own, as on two machines."""
    hosts = []
    for name in ("a", "b"):
        folder = tmp_path / name
        write_plugin("story", CODE, into=folder / "plugins", **MANIFEST)
        hosts.append((folder, {"STAGEBOX_DATABASE": postgresql_url}))
    a = serve(data_dir=hosts[0][0], env=hosts[0][1])
    assert a.command("plugin", "enable", "story").returncode == 0
    assert a.command("plugin", "enable", "s3_storage").returncode == 0
    for name, value in weed.settings("two-hosts").items():
        done = a.command("settings", "set", "s3_storage", name, json.dumps(value))
        assert done.returncode == 0, done.stderr
    answer = a.client.put(STORAGE, json={"name": "s3"})
    assert answer.status_code == 200, answer.text
    b = serve(data_dir=hosts[1][0], env=hosts[1][1]).up(f"{BASE}/all/rows")
    return a, b


@contextmanager
def listening(served):
    with connect(
        served.url.replace("http", "ws") + "/ws", compression=None, open_timeout=60
    ) as socket:
        assert json.loads(socket.recv(timeout=60))["type"] == "connection:established"
        yield socket


def test_two_hosts_are_one_service(pair, wait_until):
    a, b = pair
    # a token of A is good at B, until it is ended there
    profile = {"name": "Ann", "pin": "1234", "recoveryPhrase": "the blue sky"}
    assert a.client.post("/api/setup/init", json=profile).status_code == 201
    assert b.client.get(f"{BASE}/mine").status_code == 401
    login = a.client.post("/api/auth/login", json={"profileName": "Ann", "pin": "1234"})
    signed_in = {"Authorization": f"Bearer {login.json()['token']}"}
    assert b.client.get(f"{BASE}/mine", headers=signed_in).json()["pid"] == b.process.pid
    # what A publishes the clients of both hear, in order, once
    with listening(a) as at_a, listening(b) as at_b:
        for number in range(20):
            assert a.client.post(f"{BASE}/say/{number}").status_code == 204
        assert b.client.post(f"{BASE}/say/end").status_code == 204
        for socket in (at_a, at_b):
            found = [json.loads(socket.recv(timeout=60))["word"] for _ in range(21)]
            assert [word for word in found if word != "end"] == [str(n) for n in range(20)]
            assert found.count("end") == 1
    # a blob of A is read at B, whole and in part
    content = os.urandom(300_000)
    assert a.client.put(f"{BASE}/files/one", content=content).status_code == 204
    assert b.client.get(f"{BASE}/files/one").content == content
    part = b.client.get(f"{BASE}/files/one", headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, content[1000:2000])
    # switched off at A it is gone at B a moment later
    assert (
        a.client.post("/api/plugins/story/disable", headers=signed_in).json()["state"] == "disabled"
    )
    wait_until(lambda: b.client.get(f"{BASE}/all/rows").status_code == 404)
    assert b.client.post("/api/plugins/story/enable", headers=signed_in).json()["state"] == "active"
    wait_until(lambda: a.client.get(f"{BASE}/all/rows").status_code == 200)
    assert b.client.post("/api/auth/logout", headers=signed_in).status_code in (200, 204)
    wait_until(lambda: a.client.get(f"{BASE}/mine", headers=signed_in).status_code == 401)


def test_a_host_that_dies_loses_nothing_that_it_promised(pair, wait_until):
    a, b = pair
    promised: list[int] = []
    stop = threading.Event()

    def write():
        with httpx.Client(base_url=a.url, trust_env=False, timeout=20) as client:
            for number in range(100_000):
                if stop.is_set():
                    return
                try:
                    if client.post(f"{BASE}/rows/{number}").status_code == 204:
                        promised.append(number)
                except httpx.TransportError:
                    return

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: len(promised) >= 20)
    job = a.client.post(f"{BASE}/tasks").json()  # last: it is to be under way when its host dies
    wait_until(lambda: b.client.get(f"{BASE}/tasks/{job}").json()["done"] == 30)
    runner = b.client.get(f"{BASE}/all/steps").json()[0]["pid"]
    victim, other = (a, b) if runner == a.process.pid else (b, a)
    victim.process.send_signal(signal.SIGKILL)
    victim.process.wait(60)
    stop.set()
    writer.join()
    # the other one finishes the job where it had been saved
    wait_until(
        lambda: other.client.get(f"{BASE}/tasks/{job}").json()["state"] == "succeeded", seconds=60
    )
    info = other.client.get(f"{BASE}/tasks/{job}").json()
    assert (info["result"], info["attempt"]) == ({"walked": 60}, 2)
    steps = other.client.get(f"{BASE}/all/steps").json()
    assert {step["step"] for step in steps} == set(range(1, 61))
    assert steps[-1]["pid"] == other.process.pid
    # every row that was promised is there, and somebody heard of each
    rows = {row["number"] for row in other.client.get(f"{BASE}/all/rows").json()}
    assert set(promised) <= rows

    def all_heard():
        heard = {row["number"] for row in other.client.get(f"{BASE}/all/heard").json()}
        return heard == rows

    wait_until(all_heard, seconds=60)
    # the dead one comes back and goes on
    victim.process.stdout.close()
    victim.client.close()
    victim.start().up(f"{BASE}/all/rows")
    assert {row["number"] for row in victim.client.get(f"{BASE}/all/rows").json()} == rows
    assert victim.stop() == 0
    assert other.stop() == 0
