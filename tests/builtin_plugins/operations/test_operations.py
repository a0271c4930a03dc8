"""`/api/admin`: overview, jobs, log, backups, and what plugins keep, on a real socket."""

from __future__ import annotations

import io
import json
import zipfile
from types import SimpleNamespace
from typing import Any

import pytest

from tests.waiting import eventually

CODE = """
    from plugin_sdk import Migration, Plugin, job, route

    class plugin(Plugin):
        def migrations(self):
            return [Migration("001", lambda db: db.table("sounds").create(
                {"id": "integer", "name": "text", "clip": "blob"}, pk="id"))]

        @route("POST", "/fill", access="open")
        def fill(self, request):
            self.context.data.set("volume", {"left": 0.5})
            self.context.data.scope("server", "room-1").set("top", ["boo"])
            self.context.db.table("sounds").insert({"id": 1, "name": "boo", "clip": b"RIFF"})
            self.context.blobs.put("clips/boo.wav", b"RIFF" * 10, "audio/wav")
            return {}

        @route("GET", "/volume", access="open")
        def volume(self, request):
            return self.context.data.get("volume")

        @route("POST", "/go", access="open")
        def go(self, request):
            return {"id": self.context.jobs.start("wait", {"secret": "hidden"}).id}

        @route("POST", "/complain", access="open")
        def complain(self, request):
            self.context.log.warning("The horn is broken.")
            return 1 / 0

        @job("wait")
        def wait(self, run):
            run.progress(1, 4, "first quarter")
            while not run.cancelled:
                run.sleep(0.05)
"""


@pytest.fixture
def host(make_host, write_plugin):
    folder = write_plugin("board", CODE, capabilities=["db", "blobs"])
    return make_host(folder)


def finished(host: Any, reply: Any) -> dict[str, Any]:
    """The job behind an answer, once it is over."""
    assert reply.status == 202, reply.content
    path = f"/api/admin/jobs/{reply.json()['id']}"
    return eventually(
        lambda: (found := host.get(path).json())["state"] not in ("queued", "running") and found
    )


def test_everything_is_for_administrators(host):
    for method, path in [
        ("GET", "overview"),
        ("POST", "restart"),
        ("GET", "jobs"),
        ("GET", "jobs/x"),
        ("POST", "jobs/x/cancel"),
        ("GET", "log"),
        ("GET", "backups"),
        ("POST", "backups"),
        ("PUT", "backups/x.zip"),
        ("GET", "backups/x.zip"),
        ("GET", "backups/x.zip/summary"),
        ("DELETE", "backups/x.zip"),
        ("POST", "backups/x.zip/restore"),
        ("GET", "plugins/board/data"),
        ("GET", "plugins/board/export"),
        ("POST", "providers/storage/local/test"),
    ]:
        assert host.request(method, f"/api/admin/{path}", token="nobody").status == 401, path


def test_the_overview_says_how_the_host_is(host):
    host.post("/api/plugins/board/fill")
    found = host.get("/api/admin/overview").json()
    assert found["version"] == host.host.version
    assert found["listeners"] == [host.url]
    assert found["exposed"] is False
    assert found["otherProcesses"] == 0
    assert 0 < found["disk"]["free"] <= found["disk"]["total"]
    kept = {each["plugin"]: each["bytes"] for each in found["database"]["plugins"]}
    assert kept["board"] > 0
    assert found["database"]["host"] > 0
    assert found["database"]["bytes"] == found["database"]["host"] + sum(kept.values())
    assert found["plugins"]["active"] > 5
    load = {each["plugin"]: each for each in found["load"]}
    assert load["board"]["calls"] == 1
    assert load["board"]["failures"] == 0


def test_jobs_are_listed_followed_and_cancelled(host):
    job_id = host.post("/api/plugins/board/go").json()["id"]
    path = f"/api/admin/jobs/{job_id}"
    running = eventually(lambda: (found := host.get(path).json())["done"] and found)
    assert (running["plugin"], running["name"], running["state"]) == ("board", "wait", "running")
    assert (running["done"], running["total"], running["text"]) == (1, 4, "first quarter")
    assert "hidden" not in json.dumps(running)
    listed = host.get("/api/admin/jobs?plugin=board&state=running").json()
    assert [each["id"] for each in listed] == [job_id]
    assert host.get("/api/admin/jobs?plugin=board&state=failed").json() == []
    assert host.post(f"{path}/cancel").json()["cancelRequested"] is True
    over = eventually(lambda: (found := host.get(path).json())["finishedAt"] and found)
    assert over["state"] == "cancelled"
    assert host.post(f"{path}/cancel").json() == over
    assert host.get("/api/admin/jobs/nothing").status == 404
    assert host.get("/api/admin/jobs?state=odd").status == 400
    assert host.get("/api/admin/jobs?limit=0").status == 400


def test_the_log_is_filtered_and_followed(host):
    host.post("/api/plugins/board/complain")
    host.host.logs.flush()
    found = host.get("/api/admin/log?plugin=board&level=warn").json()
    assert [each["level"] for each in found] == ["warn", "error"]
    assert found[0]["message"] == "The horn is broken."
    assert "ZeroDivisionError" in found[1]["trace"]
    assert len(found[1]["incident"]) == 12
    assert [each["level"] for each in host.get("/api/admin/log?level=error").json()] == ["error"]
    by_text = host.get("/api/admin/log?text=HORN&limit=1").json()
    assert [each["message"] for each in by_text] == ["The horn is broken."]
    since = found[1]["time"]
    later = host.get(f"/api/admin/log?since={since}").json()
    assert all(each["time"] >= since for each in later)
    assert found[1] in later
    assert host.get("/api/admin/log?level=loud").status == 400
    overview = host.get("/api/admin/overview").json()
    assert overview["lastErrors"][-1]["incident"] == found[1]["incident"]


def test_what_a_plugin_keeps_is_counted_and_exported(host):
    host.post("/api/plugins/board/fill")
    kept = host.get("/api/admin/plugins/board/data").json()
    assert (kept["keys"], kept["tables"]) == (2, [{"name": "sounds", "rows": 1}])
    assert kept["blobs"] == {"count": 1, "bytes": 40}
    assert kept["bytes"] > 0
    reply = host.get("/api/admin/plugins/board/export")
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        lines = archive.read("data.jsonl").decode().splitlines()
        assert [json.loads(line) for line in lines] == [
            {"scope": "local", "scopeId": "", "key": "volume", "value": {"left": 0.5}},
            {"scope": "server", "scopeId": "room-1", "key": "top", "value": ["boo"]},
        ]
        row = json.loads(archive.read("tables/sounds.jsonl"))
        assert row == {"id": 1, "name": "boo", "clip": {"base64": "UklGRg=="}}
        assert archive.read("blobs/clips/boo.wav") == b"RIFF" * 10
    assert host.head("/api/admin/plugins/board/export").status == 200
    assert host.get("/api/admin/plugins/nothing/data").status == 404
    assert host.get("/api/admin/plugins/nothing/export").status == 404


def test_a_storage_provider_is_tried(host):
    reply = host.post("/api/admin/providers/storage/local/test")
    assert reply.status == 200
    assert reply.json()["message"].startswith("local kept, gave back and forgot 64 KiB")
    assert host.host.registry.active("storage").list("_stagebox/") == []
    assert host.post("/api/admin/providers/storage/nothing/test").status == 404
    assert host.post("/api/admin/providers/nothing/local/test").status == 404


def test_a_process_that_cannot_start_itself_again_says_so(host):
    reply = host.post("/api/admin/restart")
    assert reply.status == 503
    assert "restart the service" in reply.json()["message"]


# Backups


@pytest.fixture
def backed_up(host):
    host.post("/api/plugins/board/fill")
    done = finished(host, host.post("/api/admin/backups", json={"name": "first.zip"}))
    assert done["state"] == "succeeded", done
    return host


def test_a_backup_is_taken_listed_and_downloaded(backed_up):
    found = backed_up.get("/api/admin/backups").json()
    assert [each["name"] for each in found["backups"]] == ["first.zip"]
    assert (found["pending"], found["lastRestore"]) == (None, None)
    reply = backed_up.get("/api/admin/backups/first.zip")
    assert len(reply.content) == found["backups"][0]["size"]
    assert "attachment" in reply.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert archive.testzip() is None
    summary = backed_up.get("/api/admin/backups/first.zip/summary").json()
    assert summary["version"] == backed_up.host.version
    assert summary["databases"] >= 2
    assert summary["blobs"] == 1
    again = finished(backed_up, backed_up.post("/api/admin/backups", json={"name": "first.zip"}))
    assert again["state"] == "failed"
    assert "already" in again["error"]


def test_a_backup_that_a_restored_host_finds_at_work_is_done(backed_up):
    """The archive holds the row of the very job that wrote it, as one at work."""
    before = backed_up.get("/api/admin/backups").json()["backups"]
    run = SimpleNamespace(args={"name": "first.zip"}, attempt=2, progress=lambda *_: None)
    assert backed_up.plugin("operations").run_backup(run)["name"] == "first.zip"
    assert backed_up.get("/api/admin/backups").json()["backups"] == before


def test_a_backup_has_a_name_of_its_own(host):
    done = finished(host, host.post("/api/admin/backups"))
    assert done["state"] == "succeeded", done
    assert done["result"]["name"].startswith("stagebox-20")
    assert host.delete(f"/api/admin/backups/{done['result']['name']}").status == 204
    assert host.get("/api/admin/backups").json()["backups"] == []


def test_names_lead_nowhere_else(host):
    for name in ("../../evil.zip", "a/b.zip", ".hidden.zip", "no-zip", "a\nb.zip"):
        done = finished(host, host.post("/api/admin/backups", json={"name": name}))
        assert done["state"] == "failed", name
        assert "no name for a backup" in done["error"]
    assert host.get("/api/admin/backups").json()["backups"] == []


def test_archives_come_from_elsewhere(backed_up):
    content = backed_up.get("/api/admin/backups/first.zip").content
    added = upload(backed_up, "second.zip", content)
    assert added.status == 201, added.content
    assert added.json()["size"] == len(content)
    assert upload(backed_up, "second.zip", content).status == 409
    refused = upload(backed_up, "third.zip", b"PK no archive at all")
    assert refused.status == 400
    assert "third" not in backed_up.get("/api/admin/backups").content.decode()


def test_a_restore_takes_the_place_of_the_data_at_the_next_start(backed_up):
    host = backed_up
    host.host.engine.open("board").execute("DELETE FROM _stagebox_data")
    assert host.get("/api/plugins/board/volume").status in (200, 204)
    assert finished(host, host.post("/api/admin/backups/first.zip/restore"))["state"] == "succeeded"
    assert host.get("/api/admin/backups").json()["pending"] == "first.zip"
    assert host.delete("/api/admin/backups/first.zip").status == 409
    assert host.post("/api/admin/backups/nothing.zip/restore").status == 404


def test_a_damaged_archive_is_never_noted(backed_up):
    host = backed_up
    path = host.data_dir / "backups" / "first.zip"
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda each: each.compress_size)
    content = bytearray(path.read_bytes())
    # Of a header that archivers pass over nobody misses a bit: one in the middle of the content.
    content[largest.header_offset + 30 + len(largest.filename) + largest.compress_size // 2] ^= 0xFF
    path.write_bytes(content)
    done = finished(host, host.post("/api/admin/backups/first.zip/restore"))
    assert done["state"] == "failed"
    assert "damaged" in done["error"] or "not what was archived" in done["error"]
    assert host.get("/api/admin/backups").json()["pending"] is None


def upload(host: Any, name: str, content: bytes) -> Any:
    boundary = "xyzzy"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    ).encode()
    body += content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return host.request("PUT", f"/api/admin/backups/{name}", content=body, headers=headers)
