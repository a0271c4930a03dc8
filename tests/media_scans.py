"""Scans of the plugin `media`, as tests begin, hear and hold them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager

__all__ = ["begin", "check_order", "frames_of", "hold_at", "listening", "switch_off_amid"]


@contextmanager
def listening(host):
    """A connection that hears what is told from now on."""
    with host.websocket("/ws") as connection:
        assert json.loads(connection.recv(timeout=60))["type"] == "connection:established"
        yield connection


_PHASES = ["scanning", "fetching-metadata", "fetching-episodes", "saving"]


def frames_of(connection, job_id, wanted="scan:complete"):
    """Frames of a job up to the last one."""
    found = []
    while True:
        frame = json.loads(connection.recv(timeout=60))
        if frame.get("scanJobId") == job_id:
            found.append(frame)
            if frame["type"] == wanted:
                return found


def begin(client, root, kind="movie", **options):
    body = {"path": str(root), "options": {"mediaType": kind, **options}}
    return client.ok("POST", "/scan/path", body, 202)


def hold_at(script, chosen=lambda _query: True):
    """Look-ups of chosen queries wait until the first event is set; the other one says that one
    waits."""
    gate, waiting = threading.Event(), threading.Event()

    def hold(query):
        if chosen(query):
            waiting.set()
            gate.wait(60)

    script.on_fetch = hold
    return gate, waiting


def switch_off_amid(host, gate, wait_until):
    """Switches the plugin off and on; what is held goes on once its scan was told to end."""
    stopping = threading.Thread(target=host.disable, args=("media",))
    stopping.start()
    wait_until(lambda: any(run.told for run in host.host.jobs._runner.runs("media")))
    gate.set()
    stopping.join()
    host.enable("media")


def check_order(frames, total):
    """The sequence of 6.2."""
    assert frames[0]["type"] == "scan:progress"
    last = 0
    for frame in frames:
        if frame["type"] == "scan:progress":
            assert last <= frame["progress"] <= 100
            last = frame["progress"]
            assert frame["progress"] == 100 * frame["current"] // total if total else True
            assert (frame["total"] == total) or frame["phase"] == "discovering"
            assert isinstance(frame["message"], str)
            assert ("batchItemComplete" in frame) == (frame["phase"] == "batch-complete")
        assert frame["timestamp"].endswith("Z")
    scanned = [frame for frame in frames if frame.get("phase") == "batch-complete"]
    assert [frame["current"] for frame in scanned] == list(range(1, len(scanned) + 1))
    assert [each.get("phase") for each in frames[:2]] == ["discovering", "batching"]
    assert [frame.get("phase") for frame in frames[-2:]] == ["batching", None]
    inner = [frame["phase"] for frame in frames[2:-1] if frame["phase"] != "batching"]
    while inner:
        assert inner.pop(0) == "scanning"
        place = 0
        while inner[0] != "batch-complete":
            place = _PHASES.index(inner.pop(0), place + 1)
        inner.pop(0)
