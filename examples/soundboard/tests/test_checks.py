from __future__ import annotations

from typing import Any

import pytest
from soundboard import Soundboard

from plugin_sdk import HttpReply, JobInfo, NotFound, Request, UpstreamFailed
from plugin_sdk.testing import FakeContext, FakeJobRun, Progress, request

OWN = "/api/plugins/example.soundboard/sounds/"


def ask(**params: Any) -> Request:
    return request(query={"serverId": "room-1"}, params=params)


def fill(context: FakeContext, *urls: str) -> None:
    favorites = [{"label": f"Sound {n}", "url": url} for n, url in enumerate(urls, 1)]
    context.data.scope("server", "room-1").set("favorites", favorites)


def check(board: Soundboard, context: FakeContext) -> JobInfo:
    started = board.start_check(ask())
    context.jobs.run_all()
    return context.jobs.get(started.body["id"])


def test_own_sounds_are_looked_up(board: Soundboard, context: FakeContext) -> None:
    fill(context, OWN + "chime", OWN + "gone", "/somewhere/else")
    result = check(board, context).result
    assert result["checked"] == 3
    assert [each["url"] for each in result["broken"]] == [OWN + "gone", "/somewhere/else"]
    assert context.http.requests == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HttpReply(200, {}, b""), None),
        (HttpReply(405, {}, b""), None),
        (HttpReply(404, {}, b""), "status 404"),
        (UpstreamFailed("It took too long."), "It took too long."),
    ],
)
def test_other_addresses_are_asked(
    board: Soundboard, context: FakeContext, answer: HttpReply | Exception, reason: str | None
) -> None:
    context.http.answer("HEAD", "https://cdn.example.com/horn.wav", answer)
    fill(context, "https://cdn.example.com/horn.wav")
    broken = check(board, context).result["broken"]
    assert [sent.method for sent in context.http.requests] == ["HEAD"]
    assert (reason is None) is (broken == [])
    assert reason is None or reason in broken[0]["reason"]


def test_private_addresses_are_not_asked(board: Soundboard, context: FakeContext) -> None:
    fill(context, "http://127.0.0.1/horn.wav")
    assert "private" in check(board, context).result["broken"][0]["reason"]


def test_progress_names_the_sound(board: Soundboard, context: FakeContext) -> None:
    fill(context, OWN + "chime", OWN + "drum")
    job = check(board, context)
    assert context.jobs.reports(job.id) == (
        Progress(0, 2, "Sound 1"),
        Progress(1, 2, "Sound 2"),
        Progress(2, 2),
    )


def test_a_cancelled_check_stops(board: Soundboard, context: FakeContext) -> None:
    fill(context, OWN + "gone", OWN + "drum")
    run = FakeJobRun({"serverId": "room-1"}, cancel_after=1)
    result = board.check_links(run)
    assert result["checked"] == 1
    assert len(result["broken"]) == 1


def test_a_check_is_started_watched_and_cancelled(board: Soundboard, context: FakeContext) -> None:
    started = board.start_check(ask())
    assert started.status == 202
    assert board.start_check(ask()).body["id"] == started.body["id"], "one at a time"
    here = ask(id=started.body["id"])
    assert board.check_state(here)["state"] == "queued"
    board.cancel_check(here)
    assert board.check_state(here)["state"] == "cancelled"


def test_an_unknown_check_is_not_found(board: Soundboard) -> None:
    with pytest.raises(NotFound):
        board.check_state(ask(id="nothing"))
