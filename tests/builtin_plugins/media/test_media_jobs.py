"""Queue, frames, pause and resume of scans (6, 7.1, 7.2), and route guards (3.7)."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import date

import pytest

from builtin_plugins.media import lookups
from plugin_sdk import Person, ProviderError


@contextmanager
def listening(host):
    """A connection that hears what is told from now on."""
    with host.websocket("/ws") as connection:
        assert json.loads(connection.recv(timeout=60))["type"] == "connection:established"
        yield connection


PHASES = ["scanning", "fetching-metadata", "fetching-episodes", "saving"]


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


@pytest.fixture
def held(script):
    """Look-ups wait until the event is set; the other event says that one waits."""
    gate, waiting = threading.Event(), threading.Event()

    def hold(_query):
        waiting.set()
        gate.wait(60)

    script.on_fetch = hold
    yield gate, waiting
    gate.set()


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
            place = PHASES.index(inner.pop(0), place + 1)
        inner.pop(0)


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


def test_switching_off_pauses_and_a_stop_does_not(
    make_host, tmp_path, plant, host_with_provider, wait_until
):
    """On a host of its own: it is switched off and on."""
    script, host, client = host_with_provider(make_host)
    client.use()
    gate, waiting = threading.Event(), threading.Event()

    def hold(query):
        if query.title == "B":
            waiting.set()
            gate.wait(60)

    script.on_fetch = hold

    def let_go():
        """Once the scan was told to end."""
        wait_until(lambda: any(run.told for run in host.host.jobs._runner.runs("media")))
        gate.set()

    root = plant(tmp_path / "films", "a/A.mkv", "b/B.mkv", "c/C.mkv")
    (root / "z").symlink_to(root / "a")  # walked already, be it before the pause
    first = begin(client, root)["jobId"]
    assert waiting.wait(60)
    second = begin(client, plant(tmp_path / "more", "D.mkv"))["jobId"]
    release = threading.Thread(target=let_go)
    release.start()
    host.disable("media")
    release.join()
    assert host.get("/health").json()["services"]["scanner_service"] == "unknown"
    host.enable("media")
    paused = client.job(first)
    assert paused["status"] == "PAUSED"
    assert client.job(second)["status"] == "PAUSED"
    assert paused["progress"]["processedFolders"] in (1, 2)
    script.take()
    with listening(host) as connection:
        client.ok("POST", f"/scan/resume/{first}", status=202)
        frames = frames_of(connection, first)
    assert frames[0]["phase"] == "batching"
    assert frames[0]["message"] == "Resuming scan job…"
    job = client.job(first)
    assert (job["status"], job["itemsSaved"]) == ("COMPLETED", 3)
    assert ("movie", "A") not in script.take()
    # A stop in the middle: the scan goes on by itself.
    gate.clear()
    waiting.clear()
    again = begin(client, root)["jobId"]
    assert waiting.wait(60)
    release = threading.Thread(target=let_go)
    release.start()
    host.restart()
    release.join()
    job = client.ended(again)
    assert (job["status"], job["itemsSaved"]) == ("COMPLETED", 3)


def test_answers_about_the_folder_in_hand_outlive_a_stop(
    make_host, tmp_path, plant, host_with_provider, wait_until, film, season
):
    """Of films, shows and seasons: whoever was asked is not asked again."""
    script, host, client = host_with_provider(make_host)
    client.use()
    gate, waiting = threading.Event(), threading.Event()

    def hold(query):
        if query.title >= "Last":  # eight threads wait, and two of the films for a thread
            waiting.set()
            gate.wait(60)

    script.on_fetch = hold
    names = [f"Film {place}" for place in range(12)]
    for place, name in enumerate([*names, "Last"]):
        details = {"release_date": date(2001, 2, 3), "people": (Person("Ann", "ACTOR", "Eve"),)}
        script.answers[f"movie:{name}"] = film(place + 1, name, genres=("Drama",), **details)
    script.answers["movie:Film 3"] = ProviderError("for once")
    del script.answers["movie:Film 4"]
    asked_for = [*names, "Last", *(f"Unknown {place}" for place in range(9))]
    root = plant(tmp_path / "films", *(f"all/{name}.mkv" for name in asked_for))
    job = begin(client, root)["jobId"]
    assert waiting.wait(60)
    wait_until(lambda: client.query("SELECT count(*) AS n FROM kept_answer")[0]["n"] == 11)
    stopping = threading.Thread(target=host.disable, args=("media",))
    stopping.start()
    wait_until(lambda: any(run.told for run in host.host.jobs._runner.runs("media")))
    gate.set()
    stopping.join()
    host.enable("media")
    assert client.job(job)["status"] == "PAUSED"
    asked = script.take()
    assert len(asked) == len(set(asked)) == 20
    script.answers["movie:Film 3"] = film(99, "Film 3")
    client.ok("POST", f"/scan/resume/{job}", status=202)
    ended = client.ended(job)
    left = [("movie", "Film 3"), ("movie", "Unknown 7"), ("movie", "Unknown 8")]
    assert script.take() == left
    assert (ended["metadataSuccessCount"], ended["metadataFailedCount"]) == (12, 10)
    assert client.query("SELECT count(*) AS n FROM kept_answer") == [{"n": 0}]
    [found] = client.get("/search?query=film%207")["movies"]
    assert found["media"]["releaseDate"] == "2001-02-03T00:00:00.000Z"
    assert found["media"]["genres"] == ["Drama"]
    people = client.query("SELECT count(*) AS n FROM media_person WHERE character = 'Eve'")
    assert people == [{"n": 11}]


@pytest.fixture
def small_parts(monkeypatch):
    """Folders are stored five files at a time; how many answers were held before each storing."""
    held = []
    settle = lookups.Lookups.settle

    def counting(self):
        held.append(len(self._open))
        settle(self)

    monkeypatch.setattr("builtin_plugins.media.folder_plan.PART", 5)
    monkeypatch.setattr(lookups.Lookups, "settle", counting)
    return held


@pytest.mark.parametrize("kind", ["movie", "tv"])
def test_a_large_folder_is_stored_in_parts(
    client, script, film, season, plant, tmp_path, small_parts, kind
):
    client.use()
    for number in range(23):
        script.answers[f"{kind}:F{number:02}"] = film(number, f"F{number:02}")
        script.seasons[str(number), 1] = season(1, "Pilot")
    mark = " S01E01" if kind == "tv" else ""
    root = plant(tmp_path / "many", *(f"F{number:02}{mark}.mkv" for number in range(26)))
    with listening(client.host) as connection:
        job_id = begin(client, root, kind)["jobId"]
        frames = frames_of(connection, job_id)
    check_order(frames, 1)
    done = next(frame for frame in frames if frame.get("phase") == "batch-complete")
    item = {"folderName": ".", "itemsSaved": 26, "totalItems": 26}
    assert done["batchItemComplete"] == item
    assert small_parts == [5, 5, 5, 5, 5, 1]
    job = client.job(job_id)
    assert (job["scannedCount"], job["itemsSaved"]) == (26, 26)
    seasons = 23 if kind == "tv" else 0
    assert (job["metadataSuccessCount"], job["metadataFailedCount"]) == (23, 3)
    assert len(script.take()) == 26 + seasons
    client.scan(root, kind)  # what nobody knew is asked for again
    assert len(script.take()) == 3
    assert client.get("/library/stats")["totalMedia"] == 26


@pytest.mark.parametrize("rescan", [False, True])
def test_a_large_folder_that_was_interrupted_goes_on(
    make_host, host_with_provider, film, plant, tmp_path, wait_until, small_parts, rescan
):
    script, host, client = host_with_provider(make_host)
    client.use()
    gate, waiting = threading.Event(), threading.Event()

    def hold(query):
        if query.title == "F13":
            waiting.set()
            gate.wait(60)

    script.on_fetch = hold
    for number in range(1, 26):  # nobody knows the first one
        script.answers[f"movie:F{number:02}"] = film(number, f"F{number:02}")
    root = plant(tmp_path / "many", *(f"F{number:02}.mkv" for number in range(26)))
    job = begin(client, root, rescan=rescan)["jobId"]
    assert waiting.wait(60)
    assert len(client.films()) == 10  # the first two parts
    stopping = threading.Thread(target=host.disable, args=("media",))
    stopping.start()
    wait_until(lambda: any(run.told for run in host.host.jobs._runner.runs("media")))
    gate.set()
    stopping.join()
    host.enable("media")
    assert client.job(job)["status"] == "PAUSED"
    asked = script.take()
    assert len(asked) <= 15
    client.ok("POST", f"/scan/resume/{job}", status=202)
    ended = client.ended(job)
    asked += script.take()
    assert sorted(asked) == [("movie", f"F{number:02}") for number in range(26)]
    assert (ended["scannedCount"], ended["itemsSaved"]) == (26, 26)
    assert (ended["metadataSuccessCount"], ended["metadataFailedCount"]) == (25, 1)
    assert len(client.films()) == 26
    client.scan(root)
    assert script.take() == [("movie", "F00")]


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
