"""Queue and frames of scans (6, 7.1), and route guards (3.7)."""

from __future__ import annotations

import json
import threading

import pytest

from tests.media_scans import begin, check_order, frames_of, hold_at, listening


@pytest.fixture
def held(script):
    """Look-ups wait until the event is set; the other event says that one waits."""
    gate, waiting = hold_at(script)
    yield gate, waiting
    gate.set()


def test_frames_of_a_scan(client, script, film, season, plant, tmp_path):
    client.use()
    names = [f"Show {n:02}" for n in range(7)]
    for place, name in enumerate(names):
        script.answers[f"tv:{name}"] = film(place, name)
        script.seasons[str(place), 1] = season(1, "Pilot")
    root = plant(tmp_path / "shows", *(f"{name}/S01E01.mkv" for name in names), "Empty/")
    with listening(client.host) as connection:
        job_id = begin(client, root, "tv")["jobId"]
        frames = frames_of(connection, job_id)
        assert client.job(job_id)["status"] == "COMPLETED"
        check_order(frames, 8)
        phases = {frame.get("phase") for frame in frames}
        assert {"fetching-metadata", "fetching-episodes", "saving", "batch-complete"} <= phases
        assert len([frame for frame in frames if frame.get("phase") == "batching"]) == 3
        done = next(frame for frame in frames if frame.get("phase") == "batch-complete")
        item = {"folderName": "Empty", "itemsSaved": 0, "totalItems": 0}
        assert done["batchItemComplete"] == item
        assert frames[-1]["totalItems"] == 7
        assert frames[-1]["failedFolders"] == 0
        again = begin(client, root, "tv")["jobId"]  # nothing is new: told all the same
        frames = frames_of(connection, again)
        check_order(frames, 8)
        assert frames[-1]["totalItems"] == 7


def test_what_is_told_can_be_read(client, script, held, film, plant, tmp_path):
    gate, waiting = held
    client.use()
    script.answers["movie:B"] = film(1, "B")
    root = plant(tmp_path / "films", "b/B.mkv", "c/C.mkv")
    with listening(client.host) as connection:
        job_id = begin(client, root)["jobId"]
        assert waiting.wait(60)
        job = client.job(job_id)
        assert (job["status"], job["progress"]["percentComplete"]) == ("IN_PROGRESS", 0)
        gate.set()
        for frame in iter(lambda: json.loads(connection.recv(timeout=60)), None):
            if frame.get("phase") == "batch-complete":
                break
        assert "B" in [item["media"]["title"] for item in client.get("/movies")]
        frames_of(connection, job_id)
    client.ended(job_id)


def test_a_failed_folder_is_told(client, plant, tmp_path, lose):
    root = plant(tmp_path / "films", "A/A.mkv", "B/B.mkv")
    lose(root / "A")
    with listening(client.host) as connection:
        frames = frames_of(connection, begin(client, root)["jobId"])
    [error] = [frame for frame in frames if frame["type"] == "scan:error"]
    assert (error["folderName"], error["fatal"]) == ("A", False)
    assert frames[-1]["failedFolders"] == 1


def test_a_failed_scan_is_told(client, plant, tmp_path):
    root = plant(tmp_path / "films", "A/A.mkv")
    client.scan(root)
    (root / "A/A.mkv").unlink()
    (root / "A").rmdir()
    with listening(client.host) as connection:
        job_id = begin(client, root)["jobId"]
        frames = frames_of(connection, job_id, "scan:error")
        assert frames[-1]["fatal"] is True
        assert "folderName" not in frames[-1]
        assert client.job(job_id)["status"] == "FAILED"
        (root / "A").mkdir()
        client.ok("POST", f"/scan/resume/{job_id}", status=202)
        frames = frames_of(connection, job_id)
    assert frames[0]["phase"] == "discovering"
    assert client.job(job_id)["status"] == "COMPLETED"


def test_libraries_are_told(client, plant, tmp_path):
    root = plant(tmp_path / "films", "A.mkv")
    with listening(client.host) as connection:
        client.scan(root)
        [library] = client.get("/library")
        client.ok("PUT", f"/library/{library['id']}", {"name": "Films"})
        client.ok("DELETE", f"/library/{library['id']}")
        told = []
        while len(told) < 3:
            frame = json.loads(connection.recv(timeout=60))
            if frame["type"].startswith("library:"):
                told.append((frame["type"], frame["libraryName"]))
                assert frame["libraryId"] == library["id"]
    assert told == [
        ("library:created", "films"),
        ("library:updated", "Films"),
        ("library:deleted", "Films"),
    ]


def test_scans_wait_for_each_other(client, held, plant, tmp_path):
    gate, waiting = held
    client.use()
    roots = [plant(tmp_path / name, "A.mkv") for name in "abc"]
    first = begin(client, roots[0])
    assert first["queued"] is False
    assert "queuePosition" not in first
    assert waiting.wait(60)
    second, third = begin(client, roots[1]), begin(client, roots[2])
    assert (second["queued"], second["queuePosition"], third["queuePosition"]) == (True, 1, 2)
    job = client.job(third["jobId"])
    assert (job["status"], job["queuePosition"]) == ("PENDING", 2)
    assert client.job(first["jobId"])["queuePosition"] == 0
    settings = client.host.plugin("media").context.settings
    settings.update({"maxQueuedScans": 2})
    try:
        answer = client.host.post("/api/v1/scan/path", json={"path": str(roots[0])})
        client.fails(answer, 409, "Conflict")
    finally:
        settings.update({"maxQueuedScans": None})
    gate.set()
    for each in (first, second, third):
        assert client.ended(each["jobId"])["status"] == "COMPLETED"
    started = [
        client.job(each["jobId"])["timestamps"]["startedAt"] for each in (first, second, third)
    ]
    assert started == sorted(started)


def test_two_requests_make_one_library(client, plant, tmp_path):
    root = plant(tmp_path / "films", "A.mkv")
    ids = []
    threads = [threading.Thread(target=lambda: ids.append(begin(client, root))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each["libraryId"] for each in ids}) == 1
    for each in ids:
        client.ended(each["jobId"])
    assert len(client.get("/library")) == 1


def test_deleting_a_library_stops_its_scan(client, script, held, plant, tmp_path):
    gate, waiting = held
    client.use()
    root = plant(tmp_path / "films", "a/A.mkv", "b/B.mkv", "c/C.mkv")
    with listening(client.host) as connection:
        data = begin(client, root)
        assert waiting.wait(60)
        client.ok("DELETE", f"/library/{data['libraryId']}")
        gate.set()
        frames = frames_of(connection, data["jobId"], "scan:error")
    assert frames[-1]["fatal"] is True
    assert script.take() == [("movie", "A")]
    assert client.get("/movies") == []
    assert client.get("/scan/jobs")["pagination"]["total"] == 0


def test_nobody_is_asked_for_a_library_that_is_gone(client, script, plant, tmp_path, monkeypatch):
    monkeypatch.setattr("builtin_plugins.media.scan_run._LOOK_SECONDS", -1.0)
    gate, waiting = threading.Event(), threading.Event()

    def hold(_query):
        waiting.set()
        gate.wait(60)

    script.on_fetch = hold
    client.use()
    data = begin(client, plant(tmp_path / "films", *(f"a/F{number}.mkv" for number in range(40))))
    assert waiting.wait(60)
    client.ok("DELETE", f"/library/{data['libraryId']}")
    gate.set()
    after = client.scan(plant(tmp_path / "other", "C.mkv"))  # the next one runs behind it
    assert after["status"] == "COMPLETED"
    assert len(script.take()) <= 8 + 1  # those that were under way, and the other film
    assert len(client.films()) == 1


def test_a_scan_that_was_cleaned_up_writes_nothing_more(client, held, plant, tmp_path, wait_until):
    gate, waiting = held
    client.use()
    root = plant(tmp_path / "films", "a/A.mkv", "b/B.mkv")
    data = begin(client, root)
    assert waiting.wait(60)
    database = client.host.plugin("media").context.db
    database.execute("UPDATE scan_job SET started_at = 0")
    assert client.ok("POST", "/scan/cleanup")["staleCount"] == 1
    gate.set()
    after = client.scan(plant(tmp_path / "other", "C.mkv"))  # the next one runs behind it
    assert after["status"] == "COMPLETED"
    assert client.job(data["jobId"])["status"] == "FAILED"
    assert [path for _, path, _ in client.films()] == [str(tmp_path / "other/C.mkv")]
    client.ok("POST", f"/scan/resume/{data['jobId']}", status=202)
    assert client.ended(data["jobId"])["status"] == "COMPLETED"
    assert len(client.films()) == 3


def test_guards(make_host, client_of):
    host = make_host()
    client = client_of(host)
    answer = host.put("/api/v1/settings", json={"enableRouteGuards": True})
    assert "once a profile exists" in answer.json()["message"]
    assert host.get("/api/v1/movies").status == 200
    admin = {"name": "Ann", "pin": "1234", "recoveryPhrase": "blue moon"}
    assert host.post("/api/setup/init", json=admin).status == 201
    login = host.post("/api/auth/login", json={"profileName": "Ann", "pin": "1234"})
    token = login.json()["token"]
    refused = client.fails(host.get("/api/v1/movies"), 401, "Unauthorized")
    assert refused["message"]
    assert host.get("/api/v1/movies").headers["www-authenticate"] == "Bearer"
    assert host.get("/api/v1/movies", token="nobody").status == 401
    assert host.get("/api/v1/movies", token=token).status == 200
    assert host.put("/api/v1/settings", json={}).status == 401
    assert host.put("/api/v1/settings", json={}, token=token).status == 200
    assert host.get("/api/v1/logs").status == 401
    assert host.get("/health").status == 200
    assert host.options("/api/v1/movies").status == 200
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus) as refusal, host.websocket("/ws"):
        pass
    assert refusal.value.response.status_code == 401
    with host.websocket(f"/ws?token={token}") as connection:
        assert json.loads(connection.recv(timeout=60))["type"] == "connection:established"
