"""Scans that are switched off, stopped and resumed, also amid a large folder (7.1, 7.2)."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from builtin_plugins.media import lookups
from plugin_sdk import Person, ProviderError
from tests.media_scans import (
    begin,
    check_order,
    frames_of,
    hold_at,
    listening,
    switch_off_amid,
)


def test_switching_off_pauses_and_a_stop_does_not(
    make_host, tmp_path, plant, host_with_provider, wait_until
):
    """On a host of its own: it is switched off and on."""
    script, host, client = host_with_provider(make_host)
    client.use()
    gate, waiting = hold_at(script, lambda query: query.title == "B")

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
    # Eight threads wait, and two of the films for a thread.
    gate, waiting = hold_at(script, lambda query: query.title >= "Last")
    hold, begun = script.on_fetch, []

    def fetch(query):
        begun.append(query.title)
        hold(query)

    script.on_fetch = fetch
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
    wait_until(lambda: len(begun) == len(names) + 8)
    wait_until(lambda: client.query("SELECT count(*) AS n FROM kept_answer")[0]["n"] == 11)
    switch_off_amid(host, gate, wait_until)
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
    gate, waiting = hold_at(script, lambda query: query.title == "F13")
    for number in range(1, 26):  # nobody knows the first one
        script.answers[f"movie:F{number:02}"] = film(number, f"F{number:02}")
    root = plant(tmp_path / "many", *(f"F{number:02}.mkv" for number in range(26)))
    job = begin(client, root, rescan=rescan)["jobId"]
    assert waiting.wait(60)
    assert len(client.films()) == 10  # the first two parts
    switch_off_amid(host, gate, wait_until)
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
