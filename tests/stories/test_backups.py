"""An administrator's backups, as commands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from host.testing import database_of

CODE = """
    from plugin_sdk import Plugin, route

    class plugin(Plugin):
        @route("POST", "/value", access="open")
        def store(self, request):
            self.context.data.set("value", request.json())
            self.context.blobs.put("big", bytes(1_000_000 * request.json()))

        @route("GET", "/value", access="open")
        def value(self, request):
            return {"value": self.context.data.get("value"),
                    "blob": self.context.blobs.get("big").info.size}
"""
VALUE = "/api/plugins/keeper/value"


@pytest.fixture
def keeper(serve, write_plugin, tmp_path):
    write_plugin("keeper", CODE, into=tmp_path / "served" / "plugins", capabilities=["blobs"])
    served = serve()
    assert served.command("plugin", "enable", "keeper").returncode == 0
    return served


@pytest.mark.parametrize("server", ["waitress", pytest.param("granian", marks=pytest.mark.soak)])
def test_backed_up_beside_a_server_and_restored_when_it_has_stopped(keeper, tmp_path):
    archive = str(tmp_path / "archive.zip")
    assert keeper.client.post(VALUE, json=1).status_code == 204
    taken = keeper.command("backup", archive)
    assert taken.returncode == 0, taken.stderr
    assert "1 blobs" in taken.stdout
    assert "stagebox.toml is not in it" in taken.stdout
    assert keeper.client.post(VALUE, json=2).status_code == 204

    refused = keeper.command("restore", archive, "--replace")
    assert refused.returncode == 1
    assert "stop the server" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert keeper.client.get(VALUE).json()["value"] == 2

    assert keeper.stop() == 0
    hint = keeper.command("restore", archive)
    assert hint.returncode == 1
    assert "--replace" in hint.stderr
    restored = keeper.command("restore", archive, "--replace")
    assert restored.returncode == 0, restored.stderr
    keeper.start().up(VALUE)
    assert keeper.client.get(VALUE).json() == {"value": 1, "blob": 1_000_000}
    keeper.stop()


def test_a_restore_that_is_killed_costs_nothing(keeper, tmp_path, wait_until):
    archive = str(tmp_path / "archive.zip")
    assert keeper.client.post(VALUE, json=30).status_code == 204
    assert keeper.command("backup", archive).returncode == 0
    assert keeper.client.post(VALUE, json=2).status_code == 204
    keeper.stop()
    process = subprocess.Popen(
        [sys.executable, "-m", "host", "restore", archive, "--replace"], env=keeper.env
    )
    staged = keeper.data_dir / ".restore" / "new"
    wait_until(lambda: staged.exists() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL) if process.poll() is None else None
    process.wait()
    keeper.start().up(VALUE)
    assert keeper.client.get(VALUE).json()["value"] in (2, 30)
    assert not (keeper.data_dir / ".restore").exists()
    keeper.stop()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["backup", "/nowhere/at/all.zip"], "cannot be written"),
        (["restore", "/nowhere/at/all.zip"], "There is no file"),
        (["restore", __file__], "no backup"),
        (["migrate", "--to", "mysql://secret"], "begins with postgresql://"),
    ],
)
def test_wrong_inputs_get_one_sentence(stopped, arguments, text):
    answer = stopped.command(*arguments)
    assert answer.returncode == 1
    assert text in answer.stderr
    assert "Traceback" not in answer.stderr


def test_restored_from_the_desk(keeper):
    """An administrator goes back to an archive without a shell: the host starts itself again."""
    client = keeper.client
    assert client.post(VALUE, json=1).status_code == 204
    taken = finished(client, client.post("/api/admin/backups", json={"name": "good.zip"}))
    assert taken["state"] == "succeeded", taken
    assert client.post(VALUE, json=2).status_code == 204
    checked = finished(client, client.post("/api/admin/backups/good.zip/restore"))
    assert checked["state"] == "succeeded", checked
    assert client.get(VALUE).json()["value"] == 2, "nothing changes before the restart"
    with restarted(keeper):
        assert keeper.client.get(VALUE).json() == {"value": 1, "blob": 1_000_000}
        found = keeper.client.get("/api/admin/backups").json()
        assert found["pending"] is None
        assert found["lastRestore"]["succeeded"] is True
        assert "are back" in found["lastRestore"]["message"]


def test_an_archive_that_was_damaged_meanwhile_leaves_the_data(keeper):
    client = keeper.client
    assert client.post(VALUE, json=1).status_code == 204
    finished(client, client.post("/api/admin/backups", json={"name": "bad.zip"}))
    finished(client, client.post("/api/admin/backups/bad.zip/restore"))
    (keeper.data_dir / "backups" / "bad.zip").write_bytes(b"no archive any more")
    assert client.post(VALUE, json=2).status_code == 204
    with restarted(keeper):
        assert keeper.client.get(VALUE).json()["value"] == 2
        outcome = keeper.client.get("/api/admin/backups").json()["lastRestore"]
        assert outcome["succeeded"] is False
        assert "The data are those from before." in outcome["message"]


def finished(client: httpx.Client, reply: httpx.Response) -> dict[str, Any]:
    """The job behind an answer, once it is over."""
    assert reply.status_code == 202, reply.text
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = client.get(f"/api/admin/jobs/{reply.json()['id']}").json()
        if found["finishedAt"] is not None:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@contextmanager
def restarted(served: Any) -> Iterator[None]:
    """The same process, started again by itself; its port may be another one."""
    process = served.process
    assert served.client.post("/api/admin/restart").status_code == 202
    served.client.close()
    assert process.stdout is not None
    while not (found := re.search(r"listens on (http://\S+?:\d+)", process.stdout.readline())):
        assert process.poll() is None, served.errors()[-2000:]
    served.url = found[1]
    served.client = httpx.Client(base_url=served.url, timeout=30, trust_env=False)
    assert process.poll() is None
    served.up(VALUE)
    yield


def test_moving_to_where_it_is(stopped):
    answer = stopped.command("migrate", "--to", database_of(stopped.data_dir) or "sqlite")
    assert answer.returncode == 1
    assert "source and target are the same" in answer.stderr
